//! What an operator types, with the real program.

#[cfg(feature = "import")]
mod addresses;
mod admin;
mod answers;
pub(crate) mod backup;
mod check;
pub(crate) mod copy;
#[cfg(feature = "doctor")]
mod doctor;
#[cfg(feature = "import")]
mod export;
#[cfg(feature = "import")]
mod import;
#[cfg(feature = "import")]
mod import_columns;
#[cfg(feature = "import")]
mod import_csv;
#[cfg(feature = "import")]
mod import_passkeys;
#[cfg(feature = "import")]
mod import_producers;
#[cfg(feature = "import")]
mod import_rename;
#[cfg(feature = "import")]
mod import_report;
#[cfg(feature = "import")]
mod import_rows;
#[cfg(feature = "import")]
mod import_sqlite;
#[cfg(feature = "import")]
mod import_text;
mod flushes;
mod health;
mod json;
mod kill;
pub(crate) mod migrate;
mod output;
mod passkeys;
mod proxy;
mod sealing_key;
mod second_factor;
mod settings;
mod terminal;
mod unusable;
mod upgrades;
mod wrong_usage;
