//! How the vocabulary stands in the description of the API.

use std::borrow::Cow;

use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::{JailChange, Limit};
use crate::access::Role;
use crate::clock::Timestamp;
use crate::ip::Prefix;
use crate::jail::{EndCause, HoldReason, Origin};
use crate::report::{Day, Period};

/// A text of some form.
fn text(format: Option<SchemaFormat>, description: &str, example: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .format(format)
        .description(Some(description))
        .examples([serde_json::Value::from(example)]);
    text.into()
}

/// One of these texts.
fn one_of(texts: &[&str]) -> RefOr<Schema> {
    let texts = texts.iter().map(|text| serde_json::Value::from(*text));
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).enum_values(Some(texts)).into()
}

/// An object that says its kind, and for some of them by whom.
fn kinds(kinds: &[&str]) -> RefOr<Schema> {
    let by = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    ObjectBuilder::new().property("kind", one_of(kinds)).required("kind").property("by", by).into()
}

macro_rules! schema {
    ($type:ty, $name:literal, $schema:expr) => {
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                $schema
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }
        }
    };
}

const DATE_TIME: SchemaFormat = SchemaFormat::KnownFormat(KnownFormat::DateTime);
const DATE: SchemaFormat = SchemaFormat::KnownFormat(KnownFormat::Date);

schema!(Timestamp, "Time", text(Some(DATE_TIME), "A time (RFC 3339).", "2026-11-22T08:04:12Z"));
schema!(Day, "Day", text(Some(DATE), "A day in UTC.", "2026-11-22"));
schema!(Prefix, "Prefix", text(None, "An address, or a network in CIDR notation.", "192.0.2.0/24"));
schema!(Role, "Role", one_of(&["viewer", "operator", "admin", "reporter"]));
schema!(HoldReason, "HoldReason", one_of(&["growth", "allowlisted"]));
schema!(Origin, "Origin", kinds(&["log", "escalation", "order", "reports"]));
schema!(EndCause, "EndCause", kinds(&["expired", "order", "allowed", "withdrawn"]));
schema!(
    Period,
    "Period",
    ObjectBuilder::new()
        .property("from", Day::schema())
        .required("from")
        .property("until", Day::schema())
        .required("until")
        .into()
);
schema!(
    Limit,
    "Limit",
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Integer))
        .minimum(Some(1))
        .maximum(Some(u32::try_from(Limit::MOST.rows()).unwrap_or(u32::MAX)))
        .default(Some(Limit::default().rows().into()))
        .into()
);
schema!(JailChange, "JailChange", jail_change());

fn jail_change() -> RefOr<Schema> {
    let prefixes = ArrayBuilder::new().items(Prefix::schema());
    ObjectBuilder::new()
        .description(Some("One setting of a jail that is to be another until the next reload or restart."))
        .property("bantime", <Option<u64> as PartialSchema>::schema())
        .property("findtime", u64::schema())
        .property(
            "maxretry",
            ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer)).minimum(Some(1)),
        )
        .property("maxmatches", u16::schema())
        .property("ignoreself", bool::schema())
        .property("add-ignoreip", prefixes)
        .property("del-ignoreip", Prefix::schema())
        .max_properties(Some(1))
        .min_properties(Some(1))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .into()
}
