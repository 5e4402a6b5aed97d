//! The variables that hold a secret, for which there is no flag: read from the environment, and where it has none from
//! the settings file.

use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

use super::settings_file::SettingsFile;

/// The flag that names the settings file. Once the file has been read, its value is the file itself.
pub(super) const SETTINGS: &str = "settings";

/// The variable of that flag.
pub(super) const SETTINGS_VARIABLE: &str = "VESTIBULE_SETTINGS";

/// The variables of a command.
#[derive(Default)]
pub struct Variables {
    file: Option<SettingsFile>,
}

impl Variables {
    /// Those of the command whose arguments these are.
    pub(super) fn of(matches: &ArgMatches) -> Self {
        Self { file: matches.try_get_one(SETTINGS).ok().flatten().cloned() }
    }

    /// What a variable is set to. `None`: it is not set, or to nothing.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let given = std::env::var(name).ok().filter(|it| !it.is_empty());
        given.or_else(|| Some(self.file.as_ref()?.find(name)?.value.clone()))
    }

    /// The settings file, if there is one.
    pub(super) const fn file(&self) -> Option<&SettingsFile> {
        self.file.as_ref()
    }
}

/// Adds no argument: it is a field of the arguments that need a variable.
impl Args for Variables {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl FromArgMatches for Variables {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Ok(Self::of(matches))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::of(matches);
        Ok(())
    }
}
