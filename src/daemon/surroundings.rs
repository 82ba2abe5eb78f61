//! What a configuration asks of the machine it runs on: in comes a configuration that is right in itself, out come errors with
//! the place of the key that the machine does not allow.

use crate::config::{Config, Error};
use crate::dns::Service;

/// Has the service look at what the configuration says, with the query log opened anew. If that fails, all stays as it was.
/// Blocks.
pub(super) fn see(config: &Config, service: &Service) -> Result<(), Error> {
    service.see(&config.seeing).map_err(|failed| Error {
        place: config.places.query_log.clone(),
        message: format!(
            "dns.query_log: {failed}; name a file where the user that banzone runs as may write, or /dev/stdout"
        ),
    })
}
