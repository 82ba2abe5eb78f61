//! The description of the API (OpenAPI 3.1): made of the table of routes and of the types of the bodies, so that it says what is
//! answered.

use std::sync::LazyLock;

use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{self, ResponseBuilder};
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    Content, Info, OpenApi, OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr, Required, Schema,
};
use utoipa::{IntoParams, ToSchema};

use super::api::{BASE, NotReloaded, PROBLEM_TYPE, Problem};
use super::changes::NDJSON;
use super::gate::COOKIE;
use super::routes::{ROUTES, Route};
use crate::access::Permission;

/// The schemas of bodies, by name.
type Schemas = Vec<(String, RefOr<Schema>)>;

/// What a request takes and gives.
#[derive(Clone, Copy)]
pub(super) struct Spoken {
    query: Option<fn() -> Vec<Parameter>>,
    takes: Option<fn(&mut Schemas) -> RefOr<Schema>>,
    /// The media types of the body.
    media: &'static [&'static str],
    gives: Option<fn(&mut Schemas) -> RefOr<Schema>>,
    /// Not one object, but one in each line.
    has_lines: bool,
    /// The statuses that it may fail with, beside those that its form says.
    fails: &'static [u16],
}

const JSON: &str = "application/json";

impl Spoken {
    /// Nothing.
    pub(super) const NOTHING: Self =
        Self { query: None, takes: None, media: &[JSON], gives: None, has_lines: false, fails: &[] };

    /// Takes `Q` in its query.
    pub(super) const fn query<Q: IntoParams>(mut self) -> Self {
        self.query = Some(parameters::<Q>);
        self
    }

    /// Takes a `T`.
    pub(super) const fn takes<T: ToSchema>(mut self) -> Self {
        self.takes = Some(named::<T>);
        self
    }

    /// Takes bytes of these media types.
    pub(super) const fn takes_media(mut self, media: &'static [&'static str]) -> Self {
        self.takes = Some(bytes);
        self.media = media;
        self
    }

    /// Gives lines with a `T` each.
    pub(super) const fn gives_lines<T: ToSchema>(mut self) -> Self {
        self.has_lines = true;
        self.gives::<T>()
    }

    /// May fail with these of [`OWN`].
    pub(super) const fn fails(mut self, statuses: &'static [u16]) -> Self {
        self.fails = statuses;
        self
    }

    /// Whether it takes a body.
    pub(super) const fn takes_body(&self) -> bool {
        self.takes.is_some()
    }

    /// Gives a `T`.
    pub(super) const fn gives<T: ToSchema>(mut self) -> Self {
        self.gives = Some(named::<T>);
        self
    }
}

fn parameters<Q: IntoParams>() -> Vec<Parameter> {
    Q::into_params(|| Some(ParameterIn::Query))
}

fn named<T: ToSchema>(schemas: &mut Schemas) -> RefOr<Schema> {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
    Ref::from_schema_name(T::name()).into()
}

fn bytes(_: &mut Schemas) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).into()
}

/// `GET /api/v1/openapi.json`
pub(super) async fn describe() -> Response {
    static TEXT: LazyLock<String> =
        LazyLock::new(|| description().to_json().expect("it is made of strings and numbers"));
    ([(CONTENT_TYPE, HeaderValue::from_static(JSON))], TEXT.as_str()).into_response()
}

/// The description of every route.
pub fn description() -> OpenApi {
    let mut schemas = Schemas::new();
    named::<Problem>(&mut schemas);
    named::<NotReloaded>(&mut schemas);
    let add = |paths: PathsBuilder, route: &Route| {
        let item = PathItem::new(method(route.method), operation(route, &mut schemas));
        paths.path(format!("{BASE}{}", route.path), item)
    };
    let paths = ROUTES.iter().fold(PathsBuilder::new(), add).build();
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(
            "token",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        )
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(COOKIE))));
    OpenApiBuilder::new()
        .info(Info::new("banzone", env!("CARGO_PKG_VERSION")))
        .paths(paths)
        .components(Some(components.build()))
        .build()
}

fn method(written: &str) -> HttpMethod {
    match written {
        "post" => HttpMethod::Post,
        "patch" => HttpMethod::Patch,
        "delete" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

fn operation(route: &Route, schemas: &mut Schemas) -> Operation {
    let Spoken { query, takes, media, gives, has_lines, .. } = route.spoken;
    let path = path_names(route.path).map(path_parameter);
    let parameters: Vec<Parameter> = path.chain(query.map(|query| query()).into_iter().flatten()).collect();
    let body = takes.map(|takes| {
        let schema = takes(schemas);
        let add =
            |body: RequestBodyBuilder, media: &&str| body.content(*media, Content::new(Some(schema.clone())));
        media.iter().fold(RequestBodyBuilder::new().required(Some(Required::True)), add).build()
    });
    let mut operation = OperationBuilder::new()
        .operation_id(Some(route.name.replace("::", "_")))
        .tag(route.path.split('/').nth(1).unwrap_or_default())
        .parameters(Some(parameters))
        .request_body(body)
        .response("200", done(gives.map(|gives| gives(schemas)), has_lines));
    if route.is_kept() {
        operation = operation.response("304", unchanged());
    }
    for (status, when) in failures(route) {
        operation = operation.response(status.to_string(), failed(route, *status, when));
    }
    if route.needs != Permission::Nothing {
        let none: [String; 0] = [];
        operation = operation
            .security(SecurityRequirement::new("token", none.clone()))
            .security(SecurityRequirement::new("session", none));
    }
    operation.build()
}

/// The names in braces.
fn path_names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn path_parameter(name: &str) -> Parameter {
    let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).min_length(Some(1));
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(text))
        .build()
}

fn done(schema: Option<RefOr<Schema>>, has_lines: bool) -> response::Response {
    let answer = ResponseBuilder::new().description("Done");
    let content = match schema {
        None => return answer.build(),
        // There are no words for the schema of a line.
        Some(RefOr::Ref(line)) if has_lines => {
            let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
            let each = format!("each line is as {} says", line.ref_location);
            return answer.content(NDJSON, Content::new(Some(text.description(Some(each))))).build();
        }
        Some(schema) => Content::new(Some(schema)),
    };
    answer.content(JSON, content).build()
}

fn unchanged() -> response::Response {
    ResponseBuilder::new().description("It is what the `ETag` in `If-None-Match` stands for").build()
}

fn failed(route: &Route, status: u16, when: &str) -> response::Response {
    let name = if route.path == "/reload" && status == 422 { NotReloaded::name() } else { Problem::name() };
    let content = Content::new(Some(Ref::from_schema_name(name)));
    ResponseBuilder::new().description(when).content(PROBLEM_TYPE, content).build()
}

/// What may go wrong with every request.
const ALWAYS: &[(u16, &str)] = &[
    (400, "The query, a header or the body cannot be read"),
    (401, "Nobody knows who asks, or what was shown lets nobody in"),
    (403, "Who asks may not do this"),
    (429, "Too many requests"),
    (503, "The database cannot be read or written now, or the daemon is stopping"),
    (504, "No answer within 30 seconds"),
];

/// What may go wrong with some.
const OWN: &[(u16, &str)] = &[
    (404, "What is named is not there"),
    (409, "It is so already, or cannot be now"),
    (410, "What is asked for is kept no more; `detail` says where to begin again"),
    (413, "The body is too large"),
    (415, "The body is of another media type"),
    (422, "A value is not one that is possible here"),
];

/// What may go wrong with `route`.
fn failures(route: &Route) -> impl Iterator<Item = &'static (u16, &'static str)> {
    let Spoken { takes, fails, .. } = route.spoken;
    let reads_body = route.reads_body();
    let may_be = move |status: u16| match status {
        413 => reads_body,
        415 => takes.is_some(),
        422 => takes.is_some() || fails.contains(&status),
        _ => fails.contains(&status),
    };
    ALWAYS.iter().chain(OWN.iter().filter(move |(status, _)| may_be(*status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described() {
        let described = serde_json::to_value(description()).unwrap();
        assert_eq!(described["openapi"], "3.1.0");
        for Route { method, path, .. } in ROUTES {
            let operation = &described["paths"][format!("{BASE}{path}")][*method];
            assert!(operation["responses"]["200"].is_object(), "{method} {path}");
        }
    }

    #[test]
    fn every_schema_that_is_named_is_there() {
        let described = serde_json::to_value(description()).unwrap();
        let text = described.to_string();
        let named = text.split("\"#/components/schemas/").skip(1);
        for name in named.filter_map(|rest| rest.split('"').next()) {
            assert!(described["components"]["schemas"][name].is_object(), "{name}");
        }
    }

    #[test]
    fn no_two_operations_have_one_name() {
        let mut names: Vec<&str> = ROUTES.iter().map(|route| route.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
