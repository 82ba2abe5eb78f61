//! What a configuration asks of the machine it runs on: in comes a configuration that is right in itself, out come errors with
//! the place of the key that the machine does not allow.

use std::io;
use std::path::Path;

use crate::config::{Config, Error, Errors};
use crate::dns::Service;
use crate::sys::{append, privileges};

/// What can be seen without being root, becoming somebody else or changing anything.
pub fn check(config: &Config) -> Result<(), Errors> {
    let checked = [check_user(config), check_query_log(config)];
    let errors: Vec<_> = checked.into_iter().filter_map(Result::err).collect();
    if errors.is_empty() { Ok(()) } else { Err(Errors(errors)) }
}

/// Whether there is the user to become.
pub(super) fn check_user(config: &Config) -> Result<(), Error> {
    let user = config.daemon.user.as_deref();
    user.map_or(Ok(()), privileges::check_user).map_err(|failed| Error {
        place: config.places.user.clone(),
        message: format!("daemon.user: {failed}"),
    })
}

fn check_query_log(config: &Config) -> Result<(), Error> {
    with_query_log(config, append::check)
}

/// Whether the query log can be opened; it is made if it is not there. Blocks.
pub(super) fn try_query_log(config: &Config) -> Result<(), Error> {
    with_query_log(config, |path| append::open(path).map(drop))
}

fn with_query_log(config: &Config, look: impl Fn(&Path) -> io::Result<()>) -> Result<(), Error> {
    let path = config.seeing.query_log.as_ref().and_then(|log| log.path.as_deref());
    let Some(path) = path else { return Ok(()) };
    look(path).map_err(|failed| {
        no_query_log(config, &format!("cannot open the query log {}: {failed}", path.display()))
    })
}

/// Has the service look at what the configuration says, with the query log opened anew. If that fails, all stays as it was.
/// Blocks.
pub(super) fn see(config: &Config, service: &Service) -> Result<(), Error> {
    service.see(&config.seeing).map_err(|failed| no_query_log(config, &failed.to_string()))
}

fn no_query_log(config: &Config, failed: &str) -> Error {
    const REMEDY: &str = "name a file where the user that banzone runs as may write, or /dev/stdout";
    let message = format!("dns.query_log: {failed}; {REMEDY}");
    Error { place: config.places.query_log.clone(), message }
}
