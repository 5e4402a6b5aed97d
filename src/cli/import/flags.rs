//! The settings of `vestibule import`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::foreign_db::{
    BETTER_AUTH_TABLES, ColumnChoice, LUCIA_V3_TABLES, LuciaTables, NameSource, TableNames,
};
use super::passkeys::rp_id;
use super::table_text::delimiter;
use super::{CsvOptions, ImportOrder, Source};
use crate::base::base_url::BaseUrl;
use crate::base::origin::Domain;
use crate::cli::database::DatabaseArgs;
use crate::cli::secrets::password_in;
use crate::cli::serve::parse::{base_url, domain};
use crate::cli::serve::{NameKindArgs, SealKeyArgs};

/// `vestibule import`.
#[derive(Args)]
#[command(after_help = "Example:\n  vestibule import csv people.csv --dry-run\n\n\
    Either all users are imported or none. Existing users are left as they are, so a second run changes nothing. \
    Every row is counted. Users who need attention are listed, and --report FILE lists all users.\n\
    Exit codes: 0 done; 1 not done; 2 wrong usage.")]
pub struct ImportArgs {
    /// What to import from.
    #[command(subcommand)]
    source: SourceArgs,
}

/// What people can be brought over from.
#[derive(Subcommand)]
enum SourceArgs {
    /// Import a SQLite database of Lucia v2: users, keys, passwords and sessions, so that everyone stays
    /// signed in.
    #[command(after_help = "Examples:\n  \
        # see what would be imported, and what could not\n  \
        vestibule import lucia app.db --database vestibule.db --dry-run\n  \
        vestibule import lucia app.db --tables auth_user,auth_key,auth_session --json\n  \
        vestibule import lucia app.db --username key:email\n\n\
        FILE is only read, and may be in use. Other columns of a user are kept as attributes, which \
        `vestibule user show` prints.")]
    Lucia {
        /// The Lucia database.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// Tables of users, keys and sessions, comma-separated; leave out the last one if sessions are kept
        /// elsewhere. [default: found by their columns]
        #[arg(long, value_name = "USER,KEY,SESSION", value_parser = tables)]
        tables: Option<LuciaTables>,

        /// Column with the sign-in names, or key:PROVIDER to use the IDs at that provider. [default: the column
        /// username, or else the key of username, the key of email, the column email]
        #[arg(long, value_name = "COLUMN|key:PROVIDER", value_parser = NameSource::parse)]
        username: Option<NameSource>,

        #[command(flatten)]
        options: ImportOptions,
    },

    /// Import a SQLite database of Lucia v3: users, passwords, accounts with other providers and sessions,
    /// so that everyone stays signed in.
    #[command(after_help = "Examples:\n  \
        vestibule import lucia-v3 app.db --dry-run\n  \
        vestibule import lucia-v3 app.db --tables user=app_user,session= --username nick\n\n\
        FILE is only read, and may be in use. Password hashes are looked for in columns such as \
        password_hash, hashed_password or password, of the users or of a table of their own. An e-mail \
        address is kept only if the \
        source marks it as verified. Other columns are kept as attributes, unless their name suggests a \
        password or a secret.")]
    LuciaV3 {
        /// The Lucia database.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// Names of the tables that are not found by their columns: user, session, password, oauth_account. An empty
        /// name means that there is no such table.
        #[arg(long, value_name = "WHAT=TABLE,…", value_parser = lucia_v3_tables)]
        tables: Option<TableNames>,

        /// Column with the sign-in names, or key:PROVIDER to use the IDs at that provider. [default: username, or
        /// email where there is none]
        #[arg(long, value_name = "COLUMN|key:PROVIDER", value_parser = NameSource::parse)]
        username: Option<NameSource>,

        /// Column with the password hashes, in the table of users or in one of passwords. [default: found by its
        /// name, or by what is in it]
        #[arg(long, value_name = "COLUMN")]
        hash: Option<String>,

        #[command(flatten)]
        options: ImportOptions,
    },

    /// Import a SQLite database of better-auth: users, passwords, accounts with other providers and passkeys.
    /// Sessions are not imported, as their cookies are signed with a secret.
    #[command(after_help = "Examples:\n  \
        vestibule import better-auth app.db --dry-run\n  \
        vestibule import better-auth app.db --tables user=users,account=accounts --username email\n  \
        vestibule import better-auth app.db --secret-file secret --rp-id auth.example.com\n\n\
        FILE is only read, and may be in use. An e-mail address is kept only if the source marks it as \
        verified. Other columns are kept as attributes, unless their name suggests a password or a \
        secret. With --secret-file users keep their authenticator apps; backup codes stay behind. \
        Passkeys work on a site with the domain that they were made for, and nowhere else.")]
    BetterAuth {
        /// The better-auth database.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// Names of the tables that are not found by their columns: user, account, session, passkey,
        /// twoFactor. An empty name for session, passkey or twoFactor means that there is no such table.
        #[arg(long, value_name = "WHAT=TABLE,…", value_parser = better_auth_tables)]
        tables: Option<TableNames>,

        /// Column with the sign-in names, or key:PROVIDER to use the IDs at that provider. [default: username, or
        /// email where there is none]
        #[arg(long, value_name = "COLUMN|key:PROVIDER", value_parser = NameSource::parse)]
        username: Option<NameSource>,

        /// Column with the password hashes in the account table. [default: password]
        #[arg(long, value_name = "COLUMN")]
        hash: Option<String>,

        /// File with the secret of better-auth, its BETTER_AUTH_SECRET: with it, the second factors of users who have
        /// verified one are imported. Without it they are left behind.
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,

        /// Domain that the passkeys were made for, which the database does not have: rpID of its passkey plugin, or
        /// else the host of its baseURL. It is needed where there are passkeys.
        #[arg(long, value_name = "DOMAIN", value_parser = made_for)]
        rp_id: Option<String>,

        #[command(flatten)]
        site: SiteArgs,

        #[command(flatten)]
        options: ImportOptions,
    },

    /// Import a password file of Apache or nginx. Users whose hash can be verified keep their password; all
    /// others are imported without one and need a new one.
    #[command(after_help = "Example:\n  \
        vestibule import htpasswd /etc/nginx/htpasswd --dry-run\n\n\
        Hashes may be bcrypt, $apr1$, $1$, $5$ and $6$; each is replaced when its user signs in. \
        `vestibule user reset-link NAME` lets a user choose a password. There are no ids, so an existing user with \
        the same name is taken for the same person and left as they are.")]
    Htpasswd {
        /// The password file; `-` for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        options: ImportOptions,
    },

    /// Import a CSV file, from any system that can write one.
    #[command(after_help = "Examples:\n  \
        printf 'username,hash,groups\\nanna,%s,staff;admin\\n' \"$(openssl passwd -6)\" | vestibule import csv -\n  \
        vestibule import csv wordpress.csv --username user_login --hash user_pass --email user_email\n\n\
        The first line names the columns: username, and one of hash, password_hash or hashed_password. \
        Optional are id, email, groups (separated by ; or ,), totp (the secret of an authenticator app, in base32 or as \
        an otpauth: address), created_at and disabled. Other columns are kept \
        as attributes, unless their name suggests a password or a secret. Values may be separated by commas, \
        semicolons, tabs or vertical bars; a value that contains the separator must be in quotation marks. Spaces \
        around values are ignored, and NULL and \\N mean that there is no value.\n\
        A column such as active, banned, deleted_at or status tells who is disabled. If one of its values is not \
        understood, nothing is imported; --attribute COLUMN says that the column means something else. Groups are \
        converted to lower case, with hyphens for spaces; those that are still invalid are left out.\n\
        Hashes may be Argon2 (up to 256 MiB of memory, with three passes), bcrypt, scrypt as Lucia writes it, \
        those of Django, $apr1$, $1$, $5$ and $6$; users with another kind, or none, are imported without a \
        password. Without an id, an existing user with the same name is taken for the same person and left as they \
        are.")]
    Csv {
        /// The CSV file; `-` for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        columns: CsvArgs,

        #[command(flatten)]
        site: SiteArgs,

        #[command(flatten)]
        options: ImportOptions,
    },

    /// Import what `vestibule export` wrote: all users exactly as they were.
    #[command(after_help = "Examples:\n  \
        vestibule import vestibule people.jsonl\n  \
        zcat people.jsonl.gz | vestibule import vestibule - --dry-run\n\n\
        A file that is cut short, or that a newer vestibule wrote, is refused. Sessions in it are imported if \
        they are still live.")]
    Vestibule {
        /// The export; `-` for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        #[command(flatten)]
        site: SiteArgs,

        #[command(flatten)]
        options: ImportOptions,
    },
}

/// How a table is read.
#[derive(Args)]
struct CsvArgs {
    /// Separator of the values: one character, or the word tab. [default: found in the first line]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    delimiter: Option<u8>,

    /// Column with the sign-in names. [default: username]
    #[arg(long, value_name = "COLUMN")]
    username: Option<String>,

    /// Column with the password hashes. [default: hash, password_hash or hashed_password]
    #[arg(long, value_name = "COLUMN")]
    hash: Option<String>,

    /// Column with the e-mail addresses. [default: email]
    #[arg(long, value_name = "COLUMN")]
    email: Option<String>,

    /// Column with the groups. [default: groups]
    #[arg(long, value_name = "COLUMN")]
    groups: Option<String>,

    /// Column with the secrets of authenticator apps, in base32 or as otpauth: addresses. [default: totp]
    #[arg(long, value_name = "COLUMN")]
    totp: Option<String>,

    /// File with the passkeys of these users, which `authelia storage user webauthn export` wrote. They are found by
    /// their usernames.
    #[arg(long, value_name = "FILE")]
    passkeys_file: Option<PathBuf>,

    /// Column that is kept as an attribute, whatever its name suggests; may be repeated.
    #[arg(long, value_name = "COLUMN")]
    attribute: Vec<String>,
}

impl From<CsvArgs> for CsvOptions {
    fn from(args: CsvArgs) -> Self {
        let CsvArgs { delimiter, username, hash, email, groups, totp, passkeys_file, attribute } =
            args;
        let (passkeys, attributes) = (passkeys_file, attribute);
        Self { delimiter, username, hash, email, groups, totp, passkeys, attributes }
    }
}

/// Which domain the site has, so that the report warns of passkeys that do not work there.
#[derive(Args)]
struct SiteArgs {
    /// URL of the sign-in, as for serve. With it, or with --passkey-domain, the report warns of passkeys that were made
    /// for another domain.
    #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL", value_parser = base_url)]
    origin: Option<BaseUrl>,

    /// Domain for which the site makes passkeys, as for serve. [default: the host of --origin]
    #[arg(long, env = "VESTIBULE_PASSKEY_DOMAIN", value_name = "DOMAIN", value_parser = domain)]
    passkey_domain: Option<Domain>,
}

impl SiteArgs {
    /// The domain for which the site makes passkeys, if it is told.
    fn passkey_domain(&self) -> Option<String> {
        let domain = self.passkey_domain.as_ref().map(Domain::as_str);
        domain.or_else(|| Some(self.origin.as_ref()?.origin.host())).map(str::to_owned)
    }
}

/// How users are brought over, whatever the source.
#[derive(Args)]
struct ImportOptions {
    /// Report what would be imported, and write nothing.
    #[arg(long)]
    dry_run: bool,

    /// Leave out users who cannot be imported as they are, instead of refusing the whole import.
    #[arg(long)]
    skip_conflicts: bool,

    /// File with new names for users whose names are too long or taken: on each line an old name and a new one,
    /// separated by a comma, a semicolon or a tab. A line with an unknown old name is refused.
    #[arg(long, value_name = "FILE")]
    rename: Option<PathBuf>,

    /// File to write a JSON line for every user to, with mode 0600; it must not exist yet. A line has id, name, place
    /// in the source, outcome and reasons.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// What names are.
    #[command(flatten)]
    kind: NameKindArgs,

    /// Where the database is.
    #[command(flatten)]
    database: DatabaseArgs,

    /// The key that seals the secrets of authenticator apps.
    #[command(flatten)]
    key: SealKeyArgs,
}

impl ImportArgs {
    /// What is to be done, and told as JSON or not.
    pub fn order(self, json: bool) -> Result<ImportOrder, String> {
        let mut site = None;
        let (source, file, options) = match self.source {
            SourceArgs::Lucia { file, tables, username, options } => {
                (Source::Lucia { tables, username }, file, options)
            }
            SourceArgs::LuciaV3 { file, tables, username, hash, options } => {
                let (tables, columns) =
                    (tables.unwrap_or_default(), ColumnChoice { username, hash });
                (Source::LuciaV3 { tables, columns }, file, options)
            }
            SourceArgs::BetterAuth {
                file,
                tables,
                username,
                hash,
                secret_file,
                rp_id,
                site: its,
                options,
            } => {
                site = Some(its);
                let (tables, columns) =
                    (tables.unwrap_or_default(), ColumnChoice { username, hash });
                let secret = secret_file.as_deref().map(password_in).transpose()?;
                (Source::BetterAuth { tables, columns, secret, rp_id }, file, options)
            }
            SourceArgs::Htpasswd { file, options } => (Source::Htpasswd, file, options),
            SourceArgs::Csv { file, columns, site: its, options } => {
                site = Some(its);
                (Source::Csv(columns.into()), file, options)
            }
            SourceArgs::Vestibule { file, site: its, options } => {
                site = Some(its);
                (Source::Vestibule, file, options)
            }
        };
        let ImportOptions { dry_run, skip_conflicts, rename, report, kind, database, key } =
            options;
        let sealing_key = key.read()?;
        let names = kind.names;
        let database = database.check()?;
        Ok(ImportOrder {
            source,
            file,
            dry_run,
            skip_conflicts,
            json,
            names,
            rename,
            report,
            database,
            sealing_key,
            passkey_domain: site.and_then(|it| it.passkey_domain()),
        })
    }
}

fn tables(text: &str) -> Result<LuciaTables, String> {
    let names: Vec<_> = text.split(',').map(|it| it.trim().to_owned()).collect();
    let (user, key, session) = match names.as_slice() {
        [user, key] => (user, key, None),
        [user, key, session] => (user, key, Some(session)),
        _ => return Err("write it as in user,user_key,user_session".to_owned()),
    };
    if names.iter().any(String::is_empty) {
        return Err("write it as in user,user_key,user_session".to_owned());
    }
    Ok(LuciaTables { user: user.clone(), key: key.clone(), session: session.cloned() })
}

fn lucia_v3_tables(text: &str) -> Result<TableNames, String> {
    table_names(text, &LUCIA_V3_TABLES)
}

fn made_for(text: &str) -> Result<String, String> {
    rp_id(text).ok_or_else(|| "write it as in auth.example.com".to_owned())
}

fn better_auth_tables(text: &str) -> Result<TableNames, String> {
    table_names(text, &BETTER_AUTH_TABLES)
}

fn table_names(text: &str, known: &[&str]) -> Result<TableNames, String> {
    let mut names: Vec<(String, String)> = Vec::new();
    for part in text.split(',') {
        let (what, name) = part.split_once('=').ok_or("write it as in user=app_user")?;
        let what = what.trim();
        if !known.contains(&what) || names.iter().any(|(it, _)| it == what) {
            return Err(format!("name each of these once at most: {}", known.join(", ")));
        }
        names.push((what.to_owned(), name.trim().to_owned()));
    }
    Ok(TableNames(names))
}
