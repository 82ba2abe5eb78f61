//! The only place for system calls and `unsafe`: every other module calls the safe functions here.

pub mod addresses;
pub mod append;
pub mod control;
pub mod limits;
pub mod names;
pub mod notify;
pub mod prefetch;
pub mod privileges;
pub mod udp;
pub mod watch;
