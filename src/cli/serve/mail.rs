//! `vestibule serve`: how mail to users is sent. `vestibule mail test` takes the same settings.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

use super::MAIL;
use crate::auth::usernames::NameKind;
use crate::base::file_fault::reading;
use crate::cli::secrets::password_in;
use crate::cli::variables::Variables;
use crate::server::mailer::{MailConfig, MailProgram, MailWay, RelayAddress, Sender};
use crate::web::SignUpEmail;

/// The variable that holds the password for the relay.
pub(in crate::cli) const PASSWORD_VARIABLE: &str = "VESTIBULE_MAIL_PASSWORD";

/// How mail to users is sent: links with which they set a forgotten password.
// Angle brackets would be noise in --help.
#[allow(rustdoc::bare_urls)]
#[derive(Args)]
pub struct MailArgs {
    /// Relay that takes mail: smtps://USER@HOST (TLS, port 465), smtp://USER@HOST (STARTTLS required, port 587) or
    /// smtp+plain://127.0.0.1 (this machine alone, port 25). Without it, and without --mail-command, no mail is sent
    /// and the pages offer none.
    #[arg(
        long = "mail",
        env = "VESTIBULE_MAIL",
        value_name = "URL",
        conflicts_with = "mail_command"
    )]
    #[arg(help_heading = MAIL)]
    // Read later, as a refusal by the library would repeat it, with a password in it.
    mail: Option<String>,

    /// File with the password for the user in --mail. The variable VESTIBULE_MAIL_PASSWORD may hold the password
    /// instead; there is no argument for it, as every user of the machine can read arguments.
    #[arg(long, env = "VESTIBULE_MAIL_PASSWORD_FILE", value_name = "FILE", help_heading = MAIL)]
    mail_password_file: Option<PathBuf>,

    /// File with the certificates, in PEM, of the authorities that the relay's certificate may be from, instead of
    /// the built-in ones.
    #[arg(long, env = "VESTIBULE_MAIL_CA", value_name = "FILE", help_heading = MAIL)]
    mail_ca: Option<PathBuf>,

    /// Program to use instead of a relay, with its arguments; it gets the mail on standard input, as in
    /// /usr/sbin/sendmail -t -i. It is started without a shell, and killed after a minute.
    #[arg(long, env = "VESTIBULE_MAIL_COMMAND", value_name = "PROGRAM ARG...", help_heading = MAIL)]
    mail_command: Option<String>,

    /// Sender of the mail, as in Example <no-reply@example.com>.
    #[arg(long, env = "VESTIBULE_MAIL_FROM", value_name = "SENDER", help_heading = MAIL)]
    mail_from: Option<String>,

    /// Where the password may be as well.
    #[command(flatten)]
    variables: Variables,
}

/// What serve alone mails.
#[derive(Args)]
pub struct NoticeArgs {
    /// Whether users are told by mail, at their verified address, what happens to their account: on or off. A new
    /// password, a new address, a sign-in from a browser that is not known, a new access token, its deletion.
    #[arg(long, env = "VESTIBULE_NOTICES", value_name = "CHOICE", value_parser = on_or_off)]
    #[arg(default_value = "on", action = clap::ArgAction::Set, help_heading = MAIL)]
    pub(super) notices: bool,
}

/// Whether new accounts have an address.
#[derive(Args)]
pub struct SignUpEmailArgs {
    /// Whether the sign-up form asks for an e-mail address: off, optional or required. The account is created at once,
    /// and a link that verifies the address is mailed; until it is used, the address does not count. Not with --names
    /// address, as the username is one there.
    #[arg(long, env = "VESTIBULE_SIGNUP_EMAIL", value_name = "CHOICE", value_parser = sign_up_email)]
    #[arg(default_value = "off", help_heading = MAIL)]
    signup_email: SignUpEmail,

    /// Users have to verify their e-mail address before they can sign in: a sign-up mails a link and starts no session,
    /// and the first sign-in is behind the link. Every new account needs an address for that: --names address or
    /// --signup-email required.
    #[arg(long, env = "VESTIBULE_VERIFY_BEFORE_SIGN_IN", value_parser = FalseyValueParser::new())]
    #[arg(help_heading = MAIL)]
    verify_before_sign_in: bool,
}

impl SignUpEmailArgs {
    /// Checks the settings beside the others: whether an address is asked for, and whether it is verified first. An
    /// error is one line that says what would do.
    pub(super) fn check(
        &self,
        has_mail: bool,
        names: NameKind,
    ) -> Result<(SignUpEmail, bool), String> {
        let choice = self.choice(has_mail, names)?;
        if self.verify_before_sign_in && !has_mail {
            return Err(
                "--verify-before-sign-in needs --mail or --mail-command, which send the link"
                    .to_owned(),
            );
        }
        let has_address = names == NameKind::Address || choice == SignUpEmail::Required;
        if self.verify_before_sign_in && !has_address {
            return Err("--verify-before-sign-in needs an address of every new account: set --names address or \
                        --signup-email required"
                .to_owned());
        }
        Ok((choice, self.verify_before_sign_in))
    }

    fn choice(&self, has_mail: bool, names: NameKind) -> Result<SignUpEmail, String> {
        let choice = self.signup_email;
        if choice == SignUpEmail::Off {
            return Ok(choice);
        }
        if names == NameKind::Address {
            return Err(format!(
                "--signup-email {} asks for an address beside the username, which is one already with --names \
                 address; leave it off",
                choice.as_str()
            ));
        }
        if !has_mail {
            return Err(format!(
                "--signup-email {} needs --mail or --mail-command, which send the link",
                choice.as_str()
            ));
        }
        Ok(choice)
    }
}

fn sign_up_email(text: &str) -> Result<SignUpEmail, String> {
    let all = [SignUpEmail::Off, SignUpEmail::Optional, SignUpEmail::Required];
    let found = all.into_iter().find(|it| it.as_str() == text);
    found.ok_or_else(|| "write off, optional or required".to_owned())
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("write on or off".to_owned()),
    }
}

impl MailArgs {
    /// Checks the settings together. `None`: no mail is sent. An error is one line that says what would do.
    pub(in crate::cli) fn check(self, has_origin: bool) -> Result<Option<MailConfig>, String> {
        if self.mail.is_none() && self.mail_command.is_none() {
            let alone = [
                (self.mail_password_file.is_some(), "--mail-password-file"),
                (self.mail_ca.is_some(), "--mail-ca"),
                (self.mail_from.is_some(), "--mail-from"),
            ];
            return match alone.iter().find(|(is_set, _)| *is_set) {
                Some((_, flag)) => Err(format!(
                    "{flag} needs --mail or --mail-command, which say how mail is sent"
                )),
                None => Ok(None),
            };
        }
        if !has_origin {
            return Err("mail needs an --origin: the links in it lead there".to_owned());
        }
        let from = self.mail_from.as_deref().ok_or(
            "mail needs --mail-from: whom it is from, as in 'Example <no-reply@example.com>'",
        )?;
        let from = Sender::parse(from).ok_or_else(|| {
            format!(
                "--mail-from {from:?} is no sender; write it as in 'Example <no-reply@example.com>'"
            )
        })?;
        let way = self.way()?;
        Ok(Some(MailConfig { way, from }))
    }

    fn way(&self) -> Result<MailWay, String> {
        if let Some(text) = &self.mail_command {
            if self.mail_password_file.is_some() || self.mail_ca.is_some() {
                return Err(
                    "--mail-password-file and --mail-ca are for --mail, and not for --mail-command"
                        .to_owned(),
                );
            }
            let program = MailProgram::parse(text).ok_or_else(|| {
                "--mail-command needs the whole path of the program, as in '/usr/sbin/sendmail -t -i'".to_owned()
            })?;
            return Ok(MailWay::Program(program));
        }
        let text = self.mail.as_deref().unwrap_or_default();
        let address =
            RelayAddress::parse(text).map_err(|cause| format!("--mail cannot be used: {cause}"))?;
        let password = match &self.mail_password_file {
            Some(path) => Some(password_in(path)?),
            None => self.variables.get(PASSWORD_VARIABLE),
        };
        let authorities = match &self.mail_ca {
            Some(path) => Some(
                fs::read(path)
                    .map_err(|err| format!("cannot read {}: {}", path.display(), reading(&err)))?,
            ),
            None => None,
        };
        Ok(MailWay::Relay(address.open(password, authorities.as_deref())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(relay: Option<&str>, command: Option<&str>, from: Option<&str>) -> MailArgs {
        let owned = |it: Option<&str>| it.map(str::to_owned);
        MailArgs {
            mail: owned(relay),
            mail_password_file: None,
            mail_ca: None,
            mail_command: owned(command),
            mail_from: owned(from),
            variables: Variables::default(),
        }
    }

    const FROM: Option<&str> = Some("Example <no-reply@example.com>");

    #[test]
    fn sends_no_mail_unless_it_is_told_how() {
        assert!(matches!(args(None, None, None).check(false), Ok(None)));
        let relay = Some("smtps://mail.example.com");
        assert!(matches!(args(relay, None, FROM).check(true), Ok(Some(_))));
        let command = Some("/usr/sbin/sendmail -t -i");
        assert!(matches!(args(None, command, FROM).check(true), Ok(Some(_))));
    }

    #[test]
    fn takes_on_and_off_for_notices() {
        assert_eq!((on_or_off("on"), on_or_off("off")), (Ok(true), Ok(false)));
        assert!(on_or_off("true").unwrap_err().contains("on or off"));
    }

    #[test]
    fn asks_for_an_address_at_sign_up_where_a_link_can_be_sent_and_the_name_is_none() {
        let args = |text| SignUpEmailArgs {
            signup_email: sign_up_email(text).unwrap(),
            verify_before_sign_in: false,
        };
        let (name, address) = (NameKind::Name, NameKind::Address);
        assert_eq!(args("off").check(false, address), Ok((SignUpEmail::Off, false)));
        assert_eq!(args("optional").check(true, name), Ok((SignUpEmail::Optional, false)));
        assert_eq!(args("required").check(true, name), Ok((SignUpEmail::Required, false)));
        assert!(args("required").check(false, name).unwrap_err().contains("--mail-command"));
        assert!(args("optional").check(true, address).unwrap_err().contains("leave it off"));
        assert!(sign_up_email("on").unwrap_err().contains("required"));
    }

    #[test]
    fn verifies_first_where_every_new_account_has_an_address() {
        let check = |text, has_mail, names| {
            let signup_email = sign_up_email(text).unwrap();
            SignUpEmailArgs { signup_email, verify_before_sign_in: true }.check(has_mail, names)
        };
        let (name, address) = (NameKind::Name, NameKind::Address);
        assert_eq!(check("off", true, address), Ok((SignUpEmail::Off, true)));
        assert_eq!(check("required", true, name), Ok((SignUpEmail::Required, true)));
        assert!(check("off", false, address).unwrap_err().contains("--mail-command"));
        for choice in ["off", "optional"] {
            let told = check(choice, true, name).unwrap_err();
            assert!(told.contains("--names address or --signup-email required"), "{told}");
        }
    }

    #[test]
    fn says_what_is_missing() {
        let told = |args: MailArgs, has_origin| args.check(has_origin).err().unwrap();
        let relay = Some("smtps://mail.example.com");
        assert!(told(args(relay, None, FROM), false).contains("--origin"));
        assert!(told(args(relay, None, None), true).contains("--mail-from"));
        assert!(told(args(relay, None, Some("me")), true).contains("write it as in"));
        assert!(told(args(None, None, FROM), true).contains("--mail or --mail-command"));
        assert!(told(args(None, Some("sendmail"), FROM), true).contains("whole path"));
        let secret = Some("smtps://ann:hunter2@mail.example.com");
        let told = told(args(secret, None, FROM), true);
        assert!(told.contains("--mail-password-file") && !told.contains("hunter2"), "{told}");
    }
}
