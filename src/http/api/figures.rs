//! The body about reports; the answer is [`crate::report::Figures`].

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::report::Day;

/// Which figures are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FiguresQuery {
    /// The first day.
    #[param(inline)]
    pub from: Day,
    /// The first day behind the last.
    #[param(inline)]
    pub until: Day,
    /// Of this jail only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jail: Option<String>,
    /// At most so many rows of each kind; absent: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top: Option<usize>,
}
