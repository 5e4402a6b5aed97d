//! The settings of the log.

use clap::Args;

use super::LOG;
use super::parse::{log_format, log_level};
use crate::auth::events::LogLevel;
use crate::server::log::{LogConfig, LogFormat};

/// What the log has, and how it is written.
#[derive(Args)]
pub(super) struct LogArgs {
    /// How the log is written: logfmt (`key=value`) or json (one object per line), with the same keys and values.
    #[arg(long, env = "VESTIBULE_LOG_FORMAT", value_name = "FORMAT", value_parser = log_format)]
    #[arg(default_value = "logfmt", help_heading = LOG)]
    log_format: LogFormat,

    /// What the log contains: checks (a line for every request), requests (all but the checks that let a request
    /// through, of which an app causes one for each of its images), events (only events with a name of their own,
    /// such as `login_ok` and `check_denied`) or warnings (only warnings and errors, so no refused sign-ins). The audit
    /// log does not depend on it.
    #[arg(long, env = "VESTIBULE_LOG_LEVEL", value_name = "LEVEL", value_parser = log_level)]
    #[arg(default_value = "checks", help_heading = LOG)]
    log_level: LogLevel,
}

impl LogArgs {
    /// The log that these settings describe, on a standard error that is not the journal's.
    pub(super) const fn config(&self) -> LogConfig {
        LogConfig { format: self.log_format, level: self.log_level, has_priorities: false }
    }
}
