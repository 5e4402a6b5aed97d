//! The store's contract: what each method promises, whichever engine keeps it. Writes are checked through
//! a second way into the tables, and so are reads.
//!
//! A case is a function of a desk, and a test on each engine: `conformance::sqlite::…` runs always,
//! `conformance::mysql::…` where `STORE_MYSQL` names a server or several (tests/run.sh starts one).

mod bulk;
mod listings;
mod mail;
mod nodes;
mod passkeys;
mod second_factors;
mod strain;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vestibule::base::clock::Moment;
use vestibule::base::password::PasswordHash;
use vestibule::base::token::{Token, hex};
use vestibule::store::{
    self, AccessToken, AccessTokenAdded, ClientInfo, Count, CountId, Database, Device, Epoch,
    Error, Groups, ImportStatus, ImportedUser, Invite, Key, KeyAdded, KeyId, ListedRecord,
    OneTimeToken, OneTimeTokenAdded, PasswordChanged, PasswordSet, Preparation, Purpose, Record,
    RecordFilter, Session, SessionStart, SessionStarted, SignedUp, Store, Use, User, UserAdded,
    UserFilter, UserId, UserPage, UserRenamed,
};

use crate::engine::{self, Raw, TO_SCHEMA_11};
#[cfg(feature = "mysql")]
use crate::engine::{TO_SCHEMA_11_ON_SERVERS, server};
use bulk::{
    brings_no_user_over_when_a_name_is_taken_in_the_middle,
    keeps_no_user_waiting_while_a_great_many_arrive,
    shows_no_user_of_an_import_before_all_are_there,
};
use listings::{
    finds_the_browsers_of_a_user_and_sessions_by_what_their_ids_are,
    keeps_moment_and_reason_of_a_user_who_is_disabled_already,
    lists_the_records_that_meet_every_condition_with_the_names_of_users,
    lists_the_users_who_meet_every_condition_and_counts_them,
    lists_users_in_the_order_that_is_asked_for_page_by_page,
    replaces_the_groups_that_a_user_is_in_and_no_others,
};
use mail::{
    counts_attempts_that_are_let_through_and_queues_the_mail_that_they_bring,
    deletes_the_mails_of_a_deleted_user_and_no_others,
    finds_the_name_with_which_the_one_owner_of_an_address_signs_in,
    finds_the_users_of_an_address_whatever_its_case,
    gives_a_mail_to_one_server_at_a_time_and_again_when_its_lease_has_ended,
    keeps_the_last_mailed_links_good_beside_the_one_of_an_operator,
    lets_no_flood_of_mails_fill_the_disk,
    makes_an_account_without_a_session_and_its_mail_or_neither,
    queues_a_mail_with_what_it_tells_of_or_not_at_all, sends_each_mail_from_one_node,
    verifies_an_address_once_for_its_user_and_tells_the_one_before,
};
use nodes::{
    counts_every_one_of_many_failures_at_the_same_moment,
    counts_what_is_counted_together_or_nothing_of_it,
    ends_a_user_at_all_nodes_who_is_deleted_while_they_are_let_in,
    ends_what_is_open_of_the_one_whose_password_is_set_when_a_name_changes_hands,
    keeps_the_last_link_alone_valid_when_several_nodes_make_one,
    keeps_the_name_and_the_key_of_a_user_one_when_several_nodes_rename_them,
    leaves_nothing_behind_of_a_user_who_is_deleted_while_things_are_added,
    lets_a_user_go_on_at_another_node_at_once_who_has_just_signed_up,
    lets_no_user_have_a_name_whose_owner_is_deleted_at_the_same_moment,
    lets_one_of_fifty_who_sign_up_for_a_name_at_the_same_moment_win,
    lets_one_of_many_who_sign_up_for_a_name_win_on_whichever_node,
    makes_as_many_accounts_with_an_invitation_as_it_has_uses,
    makes_one_account_with_the_invitation_for_the_first,
    makes_one_schema_and_one_secret_when_many_open_an_empty_database_at_once,
    moves_no_renewal_earlier_on_whichever_node,
    no_access_token_outlives_the_password_of_the_session_it_was_made_in,
    no_old_password_outlives_a_new_one_beside_a_rename,
    no_session_outlives_the_password_that_it_was_let_in_with,
    no_sign_in_name_is_added_with_a_password_that_is_replaced_meanwhile,
    shows_a_session_at_once_to_another_node,
    shows_a_session_at_once_to_another_node_while_others_write,
    shows_a_sign_out_at_once_to_another_node,
    shows_every_record_once_to_a_reader_who_follows_while_all_nodes_add_some,
    uses_a_reset_link_once_on_whichever_node,
};
use passkeys::{
    adds_a_passkey_once_in_a_live_session_of_its_owner,
    admits_nobody_with_the_passkey_of_a_user_who_is_disabled_or_gone,
    admits_one_of_many_who_answer_one_challenge_at_the_same_moment,
    brings_passkeys_over_with_their_users, forgets_challenges_that_nothing_accepts_any_more,
    keeps_the_last_thing_that_a_second_factor_is_given_with,
    proves_the_owner_of_a_session_with_a_passkey_of_theirs,
    renames_and_removes_passkeys_of_their_owner_alone, takes_a_passkey_for_the_second_factor,
    turns_a_second_factor_on_with_a_passkey_and_no_app,
    turns_a_second_factor_on_with_a_passkey_while_signing_in, uses_a_challenge_of_a_passkey_once,
};
use second_factors::{
    admits_one_of_many_who_give_one_code_at_the_same_moment,
    ends_a_sign_in_that_waits_with_the_credentials_or_its_time,
    ends_everything_else_of_a_user_who_turns_a_second_factor_on,
    knows_with_which_key_secrets_are_sealed, lets_ten_sign_ins_of_a_user_wait,
    replaces_recovery_codes_and_forgets_browsers, sets_up_an_app_while_signing_in,
    signs_in_with_both_factors_once,
    starts_no_session_with_the_password_alone_while_there_is_a_second_factor,
    takes_the_recovery_code_of_no_other_user,
    turns_a_second_factor_off_with_a_code_or_by_an_operator,
    turns_no_second_factor_on_in_a_session_that_has_ended,
    writes_each_secret_in_another_form_if_it_is_as_it_was,
};
use strain::{
    counts_a_wait_for_a_lock_and_each_kind_of_fault,
    counts_users_sessions_that_have_not_ended_and_mails_that_wait,
    tells_which_engine_it_is_and_which_schema_it_has,
};

/// More sessions than any test has.
const MANY: u32 = 1_000;

/// When users are made, and what asks for the time happens.
const TODAY: Moment = Moment::from_millis(7);

/// The last moment at which names rest.
const LATER: Moment = Moment::from_millis(50);

/// Ways to the database, each with connections of its own.
const NODES: usize = 3;

/// A store over its own empty database, and other ways into it.
pub struct Desk {
    /// The store at the first node.
    store: Box<dyn Store>,
    others: [OnceLock<Box<dyn Store>>; NODES - 1],
    room: Box<dyn Room>,
}

/// Where an empty database is, until this is dropped.
trait Room: Send + Sync {
    /// The database, as it is told to this node.
    fn database(&self, node: usize) -> Database;

    fn raw(&self) -> Box<dyn Raw>;

    /// Says of a database without users that it has an older schema.
    fn set_schema(&self, number: u32);

    /// Another empty one on the same engine.
    fn another(&self) -> Box<dyn Room>;

    /// How many rounds find a race here that is found in this many on servers.
    fn rounds(&self, count: usize) -> usize;

    /// Whether a write may be given up because too many others wait for their turn.
    fn may_give_up(&self) -> bool;
}

impl Desk {
    fn over(room: Box<dyn Room>) -> Self {
        let store = store::open(&room.database(0)).unwrap();
        Self { store, others: Default::default(), room }
    }

    /// The store as another process has it, at another node where there are several; 0: the first.
    fn node(&self, number: usize) -> &dyn Store {
        match number % NODES {
            0 => &*self.store,
            node => &**self.others[node - 1]
                .get_or_init(|| store::open(&self.room.database(node)).unwrap()),
        }
    }

    fn raw(&self) -> Box<dyn Raw> {
        self.room.raw()
    }

    fn count(&self, table: &str) -> i64 {
        self.raw().count(table)
    }
}

struct File(TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Room for File {
    fn database(&self, _node: usize) -> Database {
        Database::File(self.0.path().join("test.db"))
    }

    fn raw(&self) -> Box<dyn Raw> {
        engine::raw_file(&self.0.path().join("test.db"))
    }

    fn set_schema(&self, number: u32) {
        for sql in TO_SCHEMA_11 {
            self.raw().run(sql);
        }
        if number >= 9 {
            self.raw().run("DROP TABLE one_time_token");
            self.raw().run(
                "CREATE TABLE one_time_token (
                     id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 32),
                     user_id TEXT NOT NULL REFERENCES user (id), purpose TEXT NOT NULL,
                     created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, epoch INTEGER NOT NULL,
                     detail TEXT NOT NULL DEFAULT '', UNIQUE (user_id, purpose)
                 ) STRICT, WITHOUT ROWID",
            );
            self.raw().run("CREATE INDEX one_time_token_by_end ON one_time_token (expires_at)");
        }
        self.raw().run(&format!("PRAGMA user_version = {number}"));
    }

    fn another(&self) -> Box<dyn Room> {
        Box::new(Self::new())
    }

    // One writes at a time, in a turn that all wait for.
    fn rounds(&self, count: usize) -> usize {
        count.div_ceil(15)
    }

    fn may_give_up(&self) -> bool {
        true
    }
}

#[cfg(feature = "mysql")]
struct Servers(String);

#[cfg(feature = "mysql")]
impl Servers {
    fn new() -> Self {
        let name = format!("t_{}", vestibule::base::token::random_text(15));
        server::make(&name);
        Self(name)
    }
}

#[cfg(feature = "mysql")]
impl Room for Servers {
    fn database(&self, node: usize) -> Database {
        Database::Mysql(server::database(&self.0, node))
    }

    fn raw(&self) -> Box<dyn Raw> {
        Box::new(server::connect(&self.database(0)))
    }

    fn set_schema(&self, number: u32) {
        for sql in TO_SCHEMA_11_ON_SERVERS {
            self.raw().run(sql);
        }
        if number >= 9 {
            self.raw().run(
                "ALTER TABLE one_time_token DROP KEY one_time_token_by_slot, DROP COLUMN slot,
                   ADD UNIQUE KEY one_time_token_by_user (user_id, purpose)",
            );
        }
        self.raw().run(&format!("UPDATE vestibule_schema SET version = {number}"));
    }

    fn another(&self) -> Box<dyn Room> {
        Box::new(Self::new())
    }

    fn rounds(&self, count: usize) -> usize {
        count
    }

    fn may_give_up(&self) -> bool {
        false
    }
}

#[cfg(feature = "mysql")]
impl Drop for Servers {
    fn drop(&mut self) {
        server::drop(&self.0);
    }
}

/// Makes of each case a test on each engine.
macro_rules! suite {
    ($($case:ident)*) => {
        mod sqlite {
            $(#[test]
            fn $case() {
                super::$case(&super::Desk::over(Box::new(super::File::new())));
            })*
        }

        #[cfg(feature = "mysql")]
        mod mysql {
            $(#[test]
            #[ignore = "needs STORE_MYSQL"]
            fn $case() {
                super::$case(&super::Desk::over(Box::new(super::Servers::new())));
            })*
        }
    };
}

suite! {
    gives_back_a_user_as_they_were_added
    admits_many_of_whom_much_is_known
    admits_all_users_or_none_and_leaves_those_alone_who_are_here
    shows_no_user_of_an_import_before_all_are_there
    brings_no_user_over_when_a_name_is_taken_in_the_middle
    keeps_no_user_waiting_while_a_great_many_arrive
    lets_no_client_in_by_what_was_written_under_an_older_epoch
    takes_a_canonical_name_once
    writes_neither_user_nor_session_when_the_key_is_taken
    ends_the_replaced_session_when_a_user_signs_up
    renames_a_user_and_their_username_key_together
    renames_no_user_to_a_name_that_is_taken_and_none_who_does_not_exist
    deletes_a_user_with_everything_that_is_theirs
    keeps_what_the_operator_says_of_a_user
    shuts_a_user_out_with_all_their_sessions_until_they_are_let_in_again
    keeps_access_tokens_with_their_user
    makes_no_access_token_beyond_the_limit_or_in_a_session_that_has_ended
    deletes_access_tokens_that_ended_long_ago
    gives_several_keys_to_a_user_and_each_key_to_one_user
    gives_no_key_and_no_session_to_a_user_who_does_not_exist
    ends_every_session_of_the_user_whose_password_changes
    puts_a_new_hash_only_in_the_place_of_the_one_it_was_made_for
    starts_a_session_and_ends_the_one_it_replaces
    sweeps_a_users_dead_sessions_when_they_sign_in
    renews_a_session_later_and_never_earlier
    notes_many_uses_at_once_and_moves_nothing_earlier
    ends_one_session_or_all_of_one_user
    ends_the_oldest_sessions_of_a_user_beyond_the_limit
    deletes_dead_sessions_in_batches_and_no_living_one
    knows_a_browser_by_account_until_it_was_not_used_for_long
    keeps_a_bounded_number_of_counts_and_forgets_those_first_that_matter_least
    takes_no_link_or_invitation_that_is_made_in_the_future
    lets_a_later_use_stand_unless_it_is_of_the_future
    knows_no_browser_and_keeps_no_session_of_the_future_before_others
    finds_the_counts_whose_last_failure_is_of_the_future
    shows_no_session_of_the_future_to_an_export
    says_which_record_was_kept_last_whichever_moment_it_is_of
    notes_when_the_clock_was_believed_unless_another_server_has_noted_something_else
    keeps_lucias_names_and_units_in_the_tables
    reads_what_others_wrote
    ends_access_tokens_with_the_password_and_with_the_user
    copies_every_row_as_it_is_into_another_database
    changes_a_password_only_under_the_epoch_of_the_proof
    lets_no_client_in_by_what_was_proven_before_a_credential_changed
    sets_the_password_of_a_user_on_every_key_that_has_one_and_on_every_sign_in_name
    changes_nothing_of_a_password_when_a_part_of_it_fails
    gives_a_sign_in_name_to_a_user_without_any_when_a_password_is_set
    reads_what_a_password_is_compared_with_by_key_and_by_user
    moves_the_sign_in_name_of_a_user_whatever_it_was_called
    gives_a_name_that_shows_or_lets_in_one_user_to_no_other
    adds_a_sign_in_name_with_the_password_of_the_user_and_ends_nothing
    deletes_a_key_with_everything_that_may_have_begun_with_it
    keeps_no_link_of_a_user_who_was_shut_out_or_has_another_name_or_address
    no_sign_in_name_is_added_with_a_password_that_is_replaced_meanwhile
    ends_all_other_sessions_of_a_user
    keeps_one_reset_link_of_a_user_and_uses_it_once
    lets_no_reset_link_set_a_password_under_another_epoch
    takes_an_invitation_until_its_uses_or_its_time_are_over
    keeps_one_invitation_for_the_first_account_while_there_is_none
    deletes_what_has_ended_in_batches_and_nothing_else
    forgets_the_browsers_first_that_were_used_least_lately
    tells_names_apart_that_differ_in_a_space_in_case_or_in_an_accent
    takes_a_change_that_changes_nothing_for_a_change
    gives_back_every_text_as_it_was
    cuts_no_text_however_long_it_is
    keeps_every_moment_there_is
    keeps_nothing_where_nothing_is_known
    adds_records_all_or_nothing_and_tells_them_in_their_order
    tells_the_records_of_one_user_the_latest_first
    shows_every_user_once_with_what_is_theirs
    counts_what_there_is
    counts_users_sessions_that_have_not_ended_and_mails_that_wait
    counts_a_wait_for_a_lock_and_each_kind_of_fault
    tells_which_engine_it_is_and_which_schema_it_has
    makes_and_changes_no_table_for_one_who_only_reads
    gives_a_renewal_up_soon_that_would_hold_a_page_up
    lets_one_of_many_who_sign_up_for_a_name_win_on_whichever_node
    lets_one_of_fifty_who_sign_up_for_a_name_at_the_same_moment_win
    uses_a_reset_link_once_on_whichever_node
    makes_as_many_accounts_with_an_invitation_as_it_has_uses
    makes_one_account_with_the_invitation_for_the_first
    counts_every_one_of_many_failures_at_the_same_moment
    counts_what_is_counted_together_or_nothing_of_it
    no_session_outlives_the_password_that_it_was_let_in_with
    no_access_token_outlives_the_password_of_the_session_it_was_made_in
    shows_a_session_at_once_to_another_node
    shows_a_session_at_once_to_another_node_while_others_write
    shows_a_sign_out_at_once_to_another_node
    lets_a_user_go_on_at_another_node_at_once_who_has_just_signed_up
    moves_no_renewal_earlier_on_whichever_node
    makes_one_schema_and_one_secret_when_many_open_an_empty_database_at_once
    shows_every_record_once_to_a_reader_who_follows_while_all_nodes_add_some
    ends_a_user_at_all_nodes_who_is_deleted_while_they_are_let_in
    keeps_the_name_and_the_key_of_a_user_one_when_several_nodes_rename_them
    no_old_password_outlives_a_new_one_beside_a_rename
    ends_what_is_open_of_the_one_whose_password_is_set_when_a_name_changes_hands
    keeps_the_last_link_alone_valid_when_several_nodes_make_one
    leaves_nothing_behind_of_a_user_who_is_deleted_while_things_are_added
    lets_access_tokens_be_good_again_when_their_owner_is_let_in_again
    lets_the_name_of_a_deleted_user_rest_and_keeps_nothing_else_of_them
    puts_handles_in_the_place_of_the_names_in_older_records
    upgrades_nothing_for_a_command_that_changes_nothing
    puts_handles_in_the_place_of_the_names_of_a_deleted_user
    reserves_the_old_name_of_a_user_for_them_alone
    reserves_every_sign_in_name_that_a_user_gives_up_for_them_alone
    lets_a_name_rest_until_its_last_moment_or_until_it_is_freed
    admits_no_user_whose_name_is_reserved
    brings_a_database_of_the_first_schema_of_servers_up_to_date
    lets_no_user_have_a_name_whose_owner_is_deleted_at_the_same_moment
    finds_the_browsers_of_a_user_and_sessions_by_what_their_ids_are
    keeps_moment_and_reason_of_a_user_who_is_disabled_already
    lists_the_records_that_meet_every_condition_with_the_names_of_users
    lists_the_users_who_meet_every_condition_and_counts_them
    lists_users_in_the_order_that_is_asked_for_page_by_page
    replaces_the_groups_that_a_user_is_in_and_no_others
    counts_attempts_that_are_let_through_and_queues_the_mail_that_they_bring
    deletes_the_mails_of_a_deleted_user_and_no_others
    ends_everything_else_of_a_user_who_turns_a_second_factor_on
    turns_no_second_factor_on_in_a_session_that_has_ended
    starts_no_session_with_the_password_alone_while_there_is_a_second_factor
    signs_in_with_both_factors_once
    takes_the_recovery_code_of_no_other_user
    ends_a_sign_in_that_waits_with_the_credentials_or_its_time
    lets_ten_sign_ins_of_a_user_wait
    admits_one_of_many_who_give_one_code_at_the_same_moment
    sets_up_an_app_while_signing_in
    turns_a_second_factor_off_with_a_code_or_by_an_operator
    replaces_recovery_codes_and_forgets_browsers
    adds_a_passkey_once_in_a_live_session_of_its_owner
    uses_a_challenge_of_a_passkey_once
    admits_one_of_many_who_answer_one_challenge_at_the_same_moment
    admits_nobody_with_the_passkey_of_a_user_who_is_disabled_or_gone
    proves_the_owner_of_a_session_with_a_passkey_of_theirs
    takes_a_passkey_for_the_second_factor
    turns_a_second_factor_on_with_a_passkey_and_no_app
    turns_a_second_factor_on_with_a_passkey_while_signing_in
    keeps_the_last_thing_that_a_second_factor_is_given_with
    renames_and_removes_passkeys_of_their_owner_alone
    forgets_challenges_that_nothing_accepts_any_more
    brings_passkeys_over_with_their_users
    knows_with_which_key_secrets_are_sealed
    writes_each_secret_in_another_form_if_it_is_as_it_was
    finds_the_name_with_which_the_one_owner_of_an_address_signs_in
    finds_the_users_of_an_address_whatever_its_case
    gives_a_mail_to_one_server_at_a_time_and_again_when_its_lease_has_ended
    keeps_the_last_mailed_links_good_beside_the_one_of_an_operator
    lets_no_flood_of_mails_fill_the_disk
    makes_an_account_without_a_session_and_its_mail_or_neither
    queues_a_mail_with_what_it_tells_of_or_not_at_all
    sends_each_mail_from_one_node
    verifies_an_address_once_for_its_user_and_tells_the_one_before
}

/// Signs `ann` up, with a key and a session that ends at 3.
fn with_ann(desk: &Desk) -> Session {
    let session = session("ann", [1, 2, 3]);
    sign_up(&*desk.store, "ann", &session);
    session
}

fn sign_up(store: &dyn Store, name: &str, session: &Session) {
    let done =
        store.sign_up(&user(name), &key(name), Some(session), None, &SessionStart::default());
    assert_eq!(done, Ok(SignedUp::Done));
}

pub fn user(name: &str) -> User {
    User {
        id: UserId::new(format!("id-{name}")),
        username: name.to_uppercase(),
        canonical_username: name.to_owned(),
        created_at: Moment::from_millis(7),
        groups: Groups::default(),
        email: String::new(),
        email_verified_at: None,
        disabled_at: None,
        disabled_reason: String::new(),
        second_factor_since: None,
    }
}

fn replacing(session: &Session) -> SessionStart {
    SessionStart { replaced: Some(session.id), ..SessionStart::default() }
}

pub fn key(name: &str) -> Key {
    Key { id: KeyId::username(name), user_id: user(name).id, hashed_password: Some(hash("$one")) }
}

fn hash(text: &str) -> PasswordHash {
    PasswordHash::from_stored(text.to_owned())
}

/// A session of `name` that is active, idle and alive at all until the three moments.
pub fn session(name: &str, until: [i64; 3]) -> Session {
    Session {
        id: Token::random().hash(),
        user_id: user(name).id,
        active_expires: Moment::from_millis(until[0]),
        idle_expires: Moment::from_millis(until[1]),
        absolute_expires: Moment::from_millis(until[2]),
        created_at: Moment::from_millis(0),
        proven_at: Moment::from_millis(0),
        seen_at: Moment::from_millis(0),
        place: ClientInfo::default(),
        second_at: Moment::NEVER,
    }
}

fn access_token(name: &str, expires_at: i64) -> AccessToken {
    AccessToken {
        id: Token::random().hash(),
        user_id: user(name).id,
        name: "backup".to_owned(),
        created_at: Moment::from_millis(1),
        expires_at: Moment::from_millis(expires_at),
        used_at: None,
        second_at: Moment::NEVER,
    }
}

fn reset_link(name: &str, expires_at: i64) -> OneTimeToken {
    OneTimeToken {
        id: Token::random().hash(),
        user_id: user(name).id,
        purpose: Purpose::ResetPassword,
        created_at: Moment::from_millis(1),
        expires_at: Moment::from_millis(expires_at),
        detail: String::new(),
    }
}

fn invite(uses: u32, expires_at: i64) -> Invite {
    Invite {
        id: Token::random().hash(),
        note: "for a test".to_owned(),
        groups: Groups::default(),
        uses_left: uses,
        is_first: false,
        created_at: Moment::from_millis(1),
        expires_at: Moment::from_millis(expires_at),
    }
}

fn record(at: i64, detail: &str) -> Record {
    Record::of_program("start", detail.to_owned(), Moment::from_millis(at))
}

/// The first 99 records of whatever moment.
fn all_records(store: &dyn Store) -> Vec<ListedRecord> {
    let all = RecordFilter::since(Moment::from_millis(i64::MIN));
    store.records_after(&all, 0, 99).unwrap()
}

fn is_alive(desk: &Desk, session: &Session) -> bool {
    desk.store.user_of_session(&session.id).unwrap().is_some()
}

fn gives_back_a_user_as_they_were_added(desk: &Desk) {
    assert_eq!(desk.store.add_user(&user("ann"), &[key("ann")]), Ok(UserAdded::Done));
    assert_eq!(desk.store.user(&user("ann").id), Ok(Some(user("ann"))));
    assert_eq!(desk.store.user_by_name("ann"), Ok(Some(user("ann"))));
    assert_eq!(
        desk.store.user_by_name("ANN"),
        Ok(None),
        "the name shown is not the name looked up"
    );
    assert_eq!(desk.store.user(&user("bob").id), Ok(None));
}

fn admits_all_users_or_none_and_leaves_those_alone_who_are_here(desk: &Desk) {
    let there = with_ann(desk);
    let arrival = |name: &str, attributes: &str| ImportedUser {
        user: user(name),
        is_known_by_name: false,
        attributes: attributes.to_owned(),
        keys: vec![key(name)],
        sessions: vec![session(name, [4, 5, 6])],
        second_factor: None,
        passkeys: Vec::new(),
    };
    let ann = ImportedUser { sessions: vec![there], ..arrival("ann", "{}") };
    let stranger = ImportedUser { user: User { id: user("ann").id, ..user("eve") }, ..ann.clone() };
    let is_admitted = |all: &[ImportedUser], skip| {
        let expected = desk.store.import_status(all, TODAY).unwrap();
        assert!(
            desk.store.import_users(all, skip, TODAY, &|_| None, &mut |_, _| {}).unwrap()
                == expected
        );
        expected
    };
    let here = ImportStatus::Here { keys: 1, sessions: 1 };
    let all = [ann.clone(), arrival("bob", "{\"age\":7}"), stranger];
    assert_eq!(is_admitted(&all, false), [here.clone(), ImportStatus::New, ImportStatus::IdTaken]);
    assert_eq!(["user", "user_key", "user_session"].map(|it| desk.count(it)), [1, 1, 1]);
    assert_eq!(is_admitted(&all, true), [here.clone(), ImportStatus::New, ImportStatus::IdTaken]);
    assert_eq!(["user", "user_key", "user_session"].map(|it| desk.count(it)), [2, 2, 2]);
    assert_eq!(is_admitted(&all[..2], false), [here.clone(), here]);
    let attributes = |name: &str| desk.store.attributes(&user(name).id).unwrap();
    assert_eq!(attributes("bob").as_deref(), Some("{\"age\":7}"));
    assert_eq!((attributes("ann").as_deref(), attributes("eve")), (Some(""), None));
    assert_eq!(desk.store.user(&user("bob").id), Ok(Some(user("bob"))));
}

fn lets_no_client_in_by_what_was_written_under_an_older_epoch(desk: &Desk) {
    let session = with_ann(desk);
    let token = access_token("ann", 1_000);
    assert_eq!(
        desk.store.add_access_token(&token, &session.id, MANY, None),
        Ok(AccessTokenAdded::Done)
    );
    assert!(
        is_alive(desk, &session) && desk.store.user_of_access_token(&token.id).unwrap().is_some()
    );
    // As a sign-in on another server leaves them that saw the old password in the same moment.
    desk.raw().run("UPDATE user SET epoch = epoch + 1");
    assert!(!is_alive(desk, &session));
    assert!(desk.store.user_of_access_token(&token.id).unwrap().is_none());
    assert!(desk.store.sessions_of(&session.user_id).unwrap().is_empty());
    assert!(desk.store.access_tokens_of(&session.user_id).unwrap().is_empty());
    let late = access_token("ann", 2_000);
    assert_eq!(
        desk.store.add_access_token(&late, &session.id, MANY, None),
        Ok(AccessTokenAdded::SessionEnded)
    );
}

fn lets_no_reset_link_set_a_password_under_another_epoch(desk: &Desk) {
    with_ann(desk);
    let (link, now) = (reset_link("ann", 50), Moment::from_millis(9));
    let is_valid = || {
        let found = desk.store.user_of_one_time_token(&link.id, Purpose::ResetPassword, now);
        found.unwrap().is_some()
    };
    desk.raw().run("UPDATE user SET epoch = 4");
    assert_eq!(desk.store.add_one_time_token(&link), Ok(OneTimeTokenAdded::Done));
    assert!(is_valid());
    // As a password that is set in the same moment leaves it.
    desk.raw().run("UPDATE user SET epoch = 5");
    assert!(!is_valid());
    assert_eq!(desk.store.reset_password(&link.id, &hash("$two"), None, now), Ok(false));
    assert_eq!(hashes_of(desk, "ann"), ["username:ann $one"]);
    assert_eq!(desk.store.add_one_time_token(&link), Ok(OneTimeTokenAdded::Done));
    assert_eq!(desk.store.add_sign_in_name(&user("ann").id, "anni", TODAY), Ok(KeyAdded::Done));
    assert!(is_valid(), "a name more ends nothing");
}

fn takes_a_canonical_name_once(desk: &Desk) {
    desk.store.add_user(&user("ann"), &[]).unwrap();
    let other = User { id: UserId::new("other".into()), ..user("ann") };
    assert_eq!(desk.store.add_user(&other, &[]), Ok(UserAdded::NameTaken));
    assert_eq!(desk.count("user"), 1);
}

fn writes_neither_user_nor_session_when_the_key_is_taken(desk: &Desk) {
    with_ann(desk);
    let stolen = Key { user_id: user("bob").id, ..key("ann") };
    let done = desk.store.sign_up(
        &user("bob"),
        &stolen,
        Some(&session("bob", [1, 2, 3])),
        None,
        &SessionStart::default(),
    );
    assert_eq!(done, Ok(SignedUp::NameTaken));
    assert_eq!([desk.count("user"), desk.count("user_key"), desk.count("user_session")], [1, 1, 1]);
}

fn ends_the_replaced_session_when_a_user_signs_up(desk: &Desk) {
    let before = with_ann(desk);
    let after = session("bob", [1, 2, 3]);
    desk.store.sign_up(&user("bob"), &key("bob"), Some(&after), None, &replacing(&before)).unwrap();
    assert!(!is_alive(desk, &before));
    assert!(is_alive(desk, &after));
}

fn renames_a_user_and_their_username_key_together(desk: &Desk) {
    with_ann(desk);
    let github = Key { id: KeyId::new("github", "1").unwrap(), ..key("ann") };
    desk.store.add_key(&github, TODAY).unwrap();
    let id = user("ann").id;
    assert_eq!(desk.store.rename_user(&id, "Anna", "anna", None, TODAY), Ok(UserRenamed::Done));
    assert_eq!(desk.store.user(&id).unwrap().unwrap().username, "Anna");
    let keys = desk.store.keys_of(&id).unwrap();
    let ids: Vec<_> = keys.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["github:1", "username:anna"]);
}

fn renames_no_user_to_a_name_that_is_taken_and_none_who_does_not_exist(desk: &Desk) {
    with_ann(desk);
    desk.store.add_user(&user("bob"), &[key("bob")]).unwrap();
    assert_eq!(
        desk.store.rename_user(&user("bob").id, "Ann", "ann", None, TODAY),
        Ok(UserRenamed::NameTaken)
    );
    assert_eq!(desk.store.user(&user("bob").id), Ok(Some(user("bob"))));
    assert_eq!(
        desk.store.rename_user(&user("eve").id, "Eve", "eve", None, TODAY),
        Ok(UserRenamed::NoUser)
    );
}

fn deletes_a_user_with_everything_that_is_theirs(desk: &Desk) {
    let session = with_ann(desk);
    desk.store.add_user(&user("bob"), &[key("bob")]).unwrap();
    assert_eq!(desk.store.delete_user(&user("ann").id, None, None), Ok(true));
    assert!(!is_alive(desk, &session));
    assert_eq!([desk.count("user"), desk.count("user_key"), desk.count("user_session")], [1, 1, 0]);
    assert_eq!(desk.store.delete_user(&user("ann").id, None, None), Ok(false));
}

fn keeps_what_the_operator_says_of_a_user(desk: &Desk) {
    with_ann(desk);
    let ann = user("ann").id;
    let groups = Groups::new("admin,ops".to_owned());
    assert_eq!(desk.store.set_groups(&ann, &groups), Ok(true));
    assert_eq!(desk.store.set_email(&ann, "ann@example.com", Some(TODAY), None), Ok(true));
    let found = desk.store.user(&ann).unwrap().unwrap();
    assert_eq!(found.groups.iter().collect::<Vec<_>>(), ["admin", "ops"]);
    assert_eq!(found.email, "ann@example.com");
    assert_eq!(desk.store.set_groups(&user("bob").id, &groups), Ok(false));
    assert_eq!(desk.store.set_email(&user("bob").id, "x@y", None, None), Ok(false));
}

fn shuts_a_user_out_with_all_their_sessions_until_they_are_let_in_again(desk: &Desk) {
    let live = with_ann(desk);
    let ann = user("ann").id;
    assert_eq!(desk.store.disable_user(&ann, "left", Moment::from_millis(9)), Ok(true));
    assert!(!is_alive(desk, &live));
    let found = desk.store.user(&ann).unwrap().unwrap();
    let since = found.disabled_at.map(Moment::millis);
    assert_eq!((since, &*found.disabled_reason), (Some(9), "left"));
    let started =
        desk.store.start_session(&session("ann", [1, 2, 3]), MANY, &SessionStart::default());
    assert_eq!(
        started,
        Ok(SessionStarted::ProofOutdated),
        "a client that was being let in meanwhile"
    );
    assert_eq!(desk.store.enable_user(&ann), Ok(true));
    let started =
        desk.store.start_session(&session("ann", [1, 2, 3]), MANY, &SessionStart::default());
    assert_eq!(started, Ok(SessionStarted::Done));
    assert_eq!(desk.store.user(&ann).unwrap().unwrap().disabled_at, None);
    assert_eq!(desk.store.disable_user(&user("bob").id, "", Moment::from_millis(9)), Ok(false));
    assert_eq!(desk.store.enable_user(&user("bob").id), Ok(false));
}

fn keeps_access_tokens_with_their_user(desk: &Desk) {
    let live = with_ann(desk);
    let token = access_token("ann", 50);
    assert_eq!(desk.store.add_access_token(&token, &live.id, 2, None), Ok(AccessTokenAdded::Done));
    let (found, same) = desk.store.user_of_access_token(&token.id).unwrap().unwrap();
    assert!(found.id == user("ann").id && same == token);
    assert_eq!(desk.store.touch_access_token(&token.id, Moment::from_millis(7)), Ok(true));
    assert_eq!(desk.store.touch_access_token(&token.id, Moment::from_millis(6)), Ok(true));
    let used = desk.store.access_tokens_of(&user("ann").id).unwrap().remove(0).used_at;
    assert_eq!(used, Some(Moment::from_millis(7)), "never earlier than it was");
    assert_eq!(desk.store.delete_access_token(&user("bob").id, &token.id), Ok(false));
    assert_eq!(desk.store.delete_access_token(&user("ann").id, &token.id), Ok(true));
    assert_eq!(desk.store.touch_access_token(&token.id, Moment::from_millis(8)), Ok(false));
    assert!(desk.store.user_of_access_token(&token.id).unwrap().is_none());
}

fn makes_no_access_token_beyond_the_limit_or_in_a_session_that_has_ended(desk: &Desk) {
    let live = with_ann(desk);
    for expected in [AccessTokenAdded::Done, AccessTokenAdded::Done, AccessTokenAdded::TooMany] {
        let added = desk.store.add_access_token(&access_token("ann", 50), &live.id, 2, None);
        assert_eq!(added, Ok(expected));
    }
    desk.store.end_session(&live.id).unwrap();
    let added = desk.store.add_access_token(&access_token("ann", 50), &live.id, 9, None);
    assert_eq!(added, Ok(AccessTokenAdded::SessionEnded));
}

fn deletes_access_tokens_that_ended_long_ago(desk: &Desk) {
    let live = with_ann(desk);
    for end in [10, 20, 30] {
        desk.store.add_access_token(&access_token("ann", end), &live.id, 9, None).unwrap();
    }
    assert_eq!(desk.store.delete_ended_access_tokens(Moment::from_millis(20), 9), Ok(1));
    assert_eq!(desk.store.delete_ended_access_tokens(Moment::from_millis(99), 1), Ok(1));
    assert_eq!(desk.count("access_token"), 1);
}

fn gives_several_keys_to_a_user_and_each_key_to_one_user(desk: &Desk) {
    with_ann(desk);
    desk.store.add_user(&user("bob"), &[key("bob")]).unwrap();
    let github = KeyId::new("github", "1").unwrap();
    let of = |name| Key { id: github.clone(), user_id: user(name).id, hashed_password: None };
    assert_eq!(desk.store.add_key(&of("ann"), TODAY), Ok(KeyAdded::Done));
    assert_eq!(desk.store.add_key(&of("bob"), TODAY), Ok(KeyAdded::Taken));
    assert_eq!(desk.store.add_key(&of("bob"), TODAY), Ok(KeyAdded::Taken));
    assert_eq!(desk.store.key(&github).unwrap().unwrap().user_id, user("ann").id);
    let (found, key) = desk.store.user_of_key(&github).unwrap().unwrap();
    assert!(found == user("ann") && key.hashed_password.is_none());
    assert_eq!(desk.store.delete_key(&user("bob").id, &github, None), Ok(false), "it is not his");
    assert_eq!(desk.store.delete_key(&user("ann").id, &github, None), Ok(true));
    assert_eq!(desk.store.delete_key(&user("ann").id, &github, None), Ok(false));
    assert!(desk.store.user_of_key(&github).unwrap().is_none());
}

fn gives_no_key_and_no_session_to_a_user_who_does_not_exist(desk: &Desk) {
    assert_eq!(desk.store.add_key(&key("eve"), TODAY), Ok(KeyAdded::NoUser));
    assert_eq!(
        desk.store.start_session(&session("eve", [1, 2, 3]), MANY, &SessionStart::default()),
        Ok(SessionStarted::ProofOutdated)
    );
    assert_eq!([desk.count("user_key"), desk.count("user_session")], [0, 0]);
}

fn ends_every_session_of_the_user_whose_password_changes(desk: &Desk) {
    let anns = with_ann(desk);
    let bobs = session("bob", [1, 2, 3]);
    desk.store
        .sign_up(&user("bob"), &key("bob"), Some(&bobs), None, &SessionStart::default())
        .unwrap();
    let ann = user("ann").id;
    assert_eq!(desk.store.set_password(&ann, Some(&hash("$two"))), Ok(PasswordSet::Done));
    assert!(!is_alive(desk, &anns));
    assert!(is_alive(desk, &bobs));
    assert_eq!(hashes_of(desk, "ann"), ["username:ann $two"]);
    assert_eq!(desk.store.set_password(&ann, None), Ok(PasswordSet::Done));
    assert_eq!(hashes_of(desk, "ann"), ["username:ann NULL"]);
    assert_eq!(desk.store.set_password(&user("eve").id, None), Ok(PasswordSet::NoUser));
    assert_eq!(
        desk.store.set_password(&user("eve").id, Some(&hash("$x"))),
        Ok(PasswordSet::NoUser)
    );
}

/// The keys of a user with the hash of each.
fn hashes_of(desk: &Desk, name: &str) -> Vec<String> {
    let hash = |key: &Key| {
        let hash = key.hashed_password.as_ref().map_or("NULL", PasswordHash::as_stored);
        format!("{} {hash}", key.id.as_str())
    };
    desk.store.keys_of(&user(name).id).unwrap().iter().map(hash).collect()
}

/// Adds a key to a user, with this hash.
fn give_key(desk: &Desk, name: &str, (provider, id): (&str, &str), text: Option<&str>) {
    let (id, user_id) = (KeyId::new(provider, id).unwrap(), user(name).id);
    let key = Key { id, user_id, hashed_password: text.map(hash) };
    assert_eq!(desk.store.add_key(&key, TODAY), Ok(KeyAdded::Done));
}

fn epoch_of(desk: &Desk, name: &str) -> Epoch {
    desk.store.credentials_of_user(&user(name).id).unwrap().unwrap().epoch
}

fn sets_the_password_of_a_user_on_every_key_that_has_one_and_on_every_sign_in_name(desk: &Desk) {
    for how in ["set", "link", "change"] {
        let live = session(how, [1, 2, 3]);
        sign_up(&*desk.store, how, &live);
        let id = |id: &str| format!("{how}{id}");
        give_key(desk, how, ("username", &id("2")), Some("$other"));
        give_key(desk, how, ("username", &id("3")), None);
        give_key(desk, how, ("email", &id("@x")), Some("$old"));
        give_key(desk, how, ("github", &id("1")), None);
        give_key(desk, how, ("USERNAME", &id("1")), None);
        let token = access_token(how, 50);
        assert_eq!(
            desk.store.add_access_token(&token, &live.id, 9, None),
            Ok(AccessTokenAdded::Done)
        );
        let (link, next) = (reset_link(how, 50), session(how, [1, 2, 3]));
        assert_eq!(desk.store.add_one_time_token(&link), Ok(OneTimeTokenAdded::Done));
        let (before, new, now) = (epoch_of(desk, how), hash("$new"), Moment::from_millis(9));
        match how {
            "set" => drop(desk.store.set_password(&user(how).id, Some(&new)).unwrap()),
            "link" => drop(desk.store.reset_password(&link.id, &new, None, now).unwrap()),
            _ => drop(
                desk.store.change_password(before, &new, &next, &SessionStart::default()).unwrap(),
            ),
        }
        let expected = [
            format!("USERNAME:{how}1 NULL"),
            format!("email:{how}@x $new"),
            format!("github:{how}1 NULL"),
            format!("username:{how} $new"),
            format!("username:{how}2 $new"),
            format!("username:{how}3 $new"),
        ];
        assert_eq!(hashes_of(desk, how), expected);
        assert_ne!(epoch_of(desk, how), before, "{how}");
        assert!(!is_alive(desk, &live), "{how}");
        assert_eq!(is_alive(desk, &next), how == "change");
        assert!(desk.store.user_of_access_token(&token.id).unwrap().is_none(), "{how}");
        assert_eq!(desk.count("one_time_token"), 0, "{how}");
    }
}

fn changes_nothing_of_a_password_when_a_part_of_it_fails(desk: &Desk) {
    let live = with_ann(desk);
    let token = access_token("ann", 50);
    assert_eq!(desk.store.add_access_token(&token, &live.id, 9, None), Ok(AccessTokenAdded::Done));
    let link = reset_link("ann", 50);
    assert_eq!(desk.store.add_one_time_token(&link), Ok(OneTimeTokenAdded::Done));
    let (before, keys, now) =
        (epoch_of(desk, "ann"), hashes_of(desk, "ann"), Moment::from_millis(9));
    let (ann, new) = (user("ann").id, hash("$new"));
    for missing in ["user_session", "access_token", "one_time_token"] {
        desk.raw().run(&format!("ALTER TABLE {missing} RENAME TO away"));
        let next = session("ann", [1, 2, 3]);
        let start = SessionStart::default();
        assert!(desk.store.set_password(&ann, Some(&new)).is_err(), "{missing}");
        assert!(desk.store.change_password(before, &new, &next, &start).is_err(), "{missing}");
        assert!(desk.store.reset_password(&link.id, &new, None, now).is_err(), "{missing}");
        desk.raw().run(&format!("ALTER TABLE away RENAME TO {missing}"));
        assert_eq!((epoch_of(desk, "ann"), hashes_of(desk, "ann")), (before, keys.clone()));
        assert!(is_alive(desk, &live), "{missing}");
        assert!(desk.store.user_of_access_token(&token.id).unwrap().is_some(), "{missing}");
        assert_eq!(desk.count("one_time_token"), 1, "{missing}");
    }
    assert_eq!(desk.store.reset_password(&link.id, &new, None, now), Ok(true));
}

fn gives_a_sign_in_name_to_a_user_without_any_when_a_password_is_set(desk: &Desk) {
    let set = |name: &str| desk.store.set_password(&user(name).id, Some(&hash("$new")));
    for name in ["ann", "bob", "eve", "fay"] {
        desk.store.add_user(&user(name), &[]).unwrap();
    }
    assert_eq!(set("ann"), Ok(PasswordSet::Done));
    assert_eq!(hashes_of(desk, "ann"), ["username:ann $new"]);
    give_key(desk, "bob", ("email", "b@x"), Some("$old"));
    assert_eq!(set("bob"), Ok(PasswordSet::Done));
    assert_eq!(hashes_of(desk, "bob"), ["email:b@x $new", "username:bob $new"]);
    // As older versions let it be: others sign in with the names of eve and fay.
    for name in ["eve", "fay"] {
        desk.raw().run(&format!("INSERT INTO user_key VALUES ('username:{name}', 'id-ann', NULL)"));
    }
    give_key(desk, "fay", ("email", "f@x"), Some("$old"));
    let live = session("eve", [1, 2, 3]);
    desk.store.start_session(&live, MANY, &SessionStart::default()).unwrap();
    assert_eq!(set("eve"), Ok(PasswordSet::NameTaken));
    assert!(is_alive(desk, &live) && hashes_of(desk, "eve").is_empty(), "something was written");
    assert_eq!(set("fay"), Ok(PasswordSet::Done), "the old password ends all the same");
    assert_eq!(hashes_of(desk, "fay"), ["email:f@x $new"]);
}

fn reads_what_a_password_is_compared_with_by_key_and_by_user(desk: &Desk) {
    with_ann(desk);
    give_key(desk, "ann", ("email", "a@x"), Some("$mail"));
    give_key(desk, "ann", ("github", "1"), None);
    give_key(desk, "ann", ("username", "anni"), Some("$one"));
    let texts = |found: Option<store::Credentials>| {
        let found = found.unwrap();
        assert_eq!((found.user, found.epoch), (user("ann"), epoch_of(desk, "ann")));
        found.hashes.iter().map(|it| it.as_stored().to_owned()).collect::<Vec<_>>()
    };
    let of_key = |id: &str| texts(desk.store.credentials_of_key(&KeyId::username(id)).unwrap());
    assert_eq!((of_key("ann"), of_key("anni")), (vec!["$one".into()], vec!["$one".into()]));
    let github = KeyId::new("github", "1").unwrap();
    assert_eq!(texts(desk.store.credentials_of_key(&github).unwrap()), [""; 0]);
    let of_user = |name: &str| desk.store.credentials_of_user(&user(name).id).unwrap();
    assert_eq!(texts(of_user("ann")), ["$one", "$mail"], "each once, sign-in names first");
    desk.store.add_user(&user("bob"), &[]).unwrap();
    assert!(of_user("bob").unwrap().hashes.is_empty() && of_user("eve").is_none());
    assert!(desk.store.credentials_of_key(&KeyId::username("eve")).unwrap().is_none());
}

fn moves_the_sign_in_name_of_a_user_whatever_it_was_called(desk: &Desk) {
    let keys = |name: &str| hashes_of(desk, name);
    let rename =
        |id: &str, name: &str| desk.store.rename_user(&user(id).id, name, name, None, TODAY);
    // As Lucia's `updateUserAttributes` leaves a user.
    let ann = User { canonical_username: "after".to_owned(), ..user("ann") };
    let before = Key { id: KeyId::username("before"), ..key("ann") };
    desk.store.add_user(&ann, &[before]).unwrap();
    assert_eq!(rename("ann", "later"), Ok(UserRenamed::Done));
    assert_eq!(keys("ann"), ["username:later $one"]);
    desk.raw().run("UPDATE user SET canonical_username = 'x', username = 'x'");
    assert_eq!(rename("ann", "x"), Ok(UserRenamed::Done), "to the name that they have");
    assert_eq!(keys("ann"), ["username:x $one"]);
    // Of several the one of the old name.
    give_key(desk, "ann", ("username", "alias"), Some("$two"));
    assert_eq!(rename("ann", "y"), Ok(UserRenamed::Done));
    assert_eq!(keys("ann"), ["username:alias $two", "username:y $one"]);
    assert_eq!(rename("ann", "alias"), Ok(UserRenamed::Done), "to another name of their own");
    assert_eq!(keys("ann"), ["username:alias $one"]);
    desk.store.add_user(&user("bob"), &[]).unwrap();
    assert_eq!(rename("bob", "bert"), Ok(UserRenamed::Done));
    assert_eq!(keys("bob"), [""; 0], "who signs in with no name");
}

fn gives_a_name_that_shows_or_lets_in_one_user_to_no_other(desk: &Desk) {
    with_ann(desk);
    give_key(desk, "ann", ("username", "anni"), Some("$one"));
    desk.store.add_user(&user("bob"), &[]).unwrap();
    let store = &desk.store;
    let of_bob = |name: &str| Key { user_id: user("bob").id, ..key(name) };
    for name in ["ann", "anni"] {
        assert_eq!(store.add_user(&user(name), &[]), Ok(UserAdded::NameTaken), "{name}");
        assert_eq!(store.add_key(&of_bob(name), TODAY), Ok(KeyAdded::Taken), "{name}");
        assert_eq!(
            store.add_sign_in_name(&user("bob").id, name, TODAY),
            Ok(KeyAdded::Taken),
            "{name}"
        );
        assert_eq!(
            store.rename_user(&user("bob").id, name, name, None, TODAY),
            Ok(UserRenamed::NameTaken),
            "{name}"
        );
    }
    let of_eve = Key { user_id: user("eve").id, ..key("bob") };
    assert_eq!(store.add_user(&user("eve"), &[of_eve]), Ok(UserAdded::NameTaken));
    assert_eq!(store.add_sign_in_name(&user("ann").id, "bob", TODAY), Ok(KeyAdded::Taken));
    assert_eq!(store.add_sign_in_name(&user("ann").id, "anni", TODAY), Ok(KeyAdded::Taken));
    assert_eq!((desk.count("user"), desk.count("user_key")), (2, 2));
    let has_fault = || {
        let faults = store.faults().unwrap();
        faults.contains(&"1 name shows one user and lets another one in".to_owned())
    };
    assert!(!has_fault());
    desk.raw().run("INSERT INTO user_key VALUES ('username:bob', 'id-ann', NULL)");
    assert!(has_fault());
}

fn adds_a_sign_in_name_with_the_password_of_the_user_and_ends_nothing(desk: &Desk) {
    let live = with_ann(desk);
    let token = access_token("ann", 50);
    desk.store.add_access_token(&token, &live.id, 9, None).unwrap();
    give_key(desk, "ann", ("email", "a@x"), Some("$mail"));
    let add = |name: &str, to: &str| desk.store.add_sign_in_name(&user(name).id, to, TODAY);
    assert_eq!(add("ann", "anni"), Ok(KeyAdded::Done));
    let keys = ["email:a@x $mail", "username:ann $one", "username:anni $one"];
    assert_eq!(hashes_of(desk, "ann"), keys);
    assert!(is_alive(desk, &live));
    assert!(desk.store.user_of_access_token(&token.id).unwrap().is_some());
    desk.store.add_user(&user("bob"), &[]).unwrap();
    assert_eq!(add("bob", "bob"), Ok(KeyAdded::Done));
    assert_eq!(hashes_of(desk, "bob"), ["username:bob NULL"]);
    assert_eq!(add("eve", "eve"), Ok(KeyAdded::NoUser));
}

fn deletes_a_key_with_everything_that_may_have_begun_with_it(desk: &Desk) {
    let live = with_ann(desk);
    give_key(desk, "ann", ("github", "1"), None);
    let (token, link) = (access_token("ann", 50), reset_link("ann", 50));
    desk.store.add_access_token(&token, &live.id, 9, None).unwrap();
    desk.store.add_one_time_token(&link).unwrap();
    let (ann, before) = (user("ann").id, epoch_of(desk, "ann"));
    assert_eq!(desk.store.delete_key(&ann, &KeyId::username("anni"), None), Ok(false));
    assert!(is_alive(desk, &live));
    assert_eq!(desk.store.delete_key(&ann, &KeyId::new("github", "1").unwrap(), None), Ok(true));
    assert!(!is_alive(desk, &live) && epoch_of(desk, "ann") != before);
    assert_eq!((desk.count("access_token"), desk.count("one_time_token")), (0, 0));
    assert_eq!(hashes_of(desk, "ann"), ["username:ann $one"]);
}

fn keeps_no_link_of_a_user_who_was_shut_out_or_has_another_name_or_address(desk: &Desk) {
    with_ann(desk);
    let (store, ann, now) = (&desk.store, user("ann").id, Moment::from_millis(9));
    let rename =
        || store.rename_user(&ann, "Ann", "ann", None, TODAY).map(|it| it == UserRenamed::Done);
    let ways: [&dyn Fn() -> store::Result<bool>; 4] =
        [&|| store.disable_user(&ann, "left", now), &|| store.enable_user(&ann), &rename, &|| {
            store.set_email(&ann, "a@x", None, None)
        }];
    for (number, way) in ways.into_iter().enumerate() {
        let link = reset_link("ann", 50);
        assert_eq!(store.add_one_time_token(&link), Ok(OneTimeTokenAdded::Done));
        assert_eq!(way(), Ok(true), "{number}");
        assert_eq!(desk.count("one_time_token"), 0, "{number}");
        assert_eq!(store.reset_password(&link.id, &hash("$two"), None, now), Ok(false), "{number}");
    }
    let link = reset_link("ann", 50);
    assert_eq!(store.add_one_time_token(&link), Ok(OneTimeTokenAdded::Done));
    desk.raw().run("UPDATE user SET disabled_at = 5");
    assert_eq!(
        store.reset_password(&link.id, &hash("$two"), None, now),
        Ok(false),
        "shut out meanwhile"
    );
    assert_eq!(hashes_of(desk, "ann"), ["username:ann $one"]);
}

fn puts_a_new_hash_only_in_the_place_of_the_one_it_was_made_for(desk: &Desk) {
    let session = with_ann(desk);
    give_key(desk, "ann", ("username", "anni"), Some("$one"));
    give_key(desk, "ann", ("email", "a@x"), Some("$mail"));
    desk.store.add_user(&user("bob"), &[key("bob")]).unwrap();
    let id = user("ann").id;
    assert_eq!(desk.store.replace_hash(&id, &hash("$one"), &hash("$anew")), Ok(true));
    assert_eq!(desk.store.replace_hash(&id, &hash("$one"), &hash("$late")), Ok(false));
    let keys = ["email:a@x $mail", "username:ann $anew", "username:anni $anew"];
    assert_eq!(
        (hashes_of(desk, "ann"), hashes_of(desk, "bob")),
        (keys.map(str::to_owned).into(), vec!["username:bob $one".to_owned()])
    );
    assert!(is_alive(desk, &session), "the password is the same, so no session ends");
}

fn starts_a_session_and_ends_the_one_it_replaces(desk: &Desk) {
    let before = with_ann(desk);
    let after = session("ann", [10, 20, 30]);
    assert_eq!(
        desk.store.start_session(&after, MANY, &replacing(&before)),
        Ok(SessionStarted::Done)
    );
    assert!(!is_alive(desk, &before));
    let (found, stored) = desk.store.user_of_session(&after.id).unwrap().unwrap();
    assert!(found == user("ann") && stored == after);
}

fn sweeps_a_users_dead_sessions_when_they_sign_in(desk: &Desk) {
    let old = with_ann(desk);
    let bobs = session("bob", [1, 2, 3]);
    desk.store
        .sign_up(&user("bob"), &key("bob"), Some(&bobs), None, &SessionStart::default())
        .unwrap();
    let start = |at| {
        let new = Session { created_at: Moment::from_millis(at), ..session("ann", [90, 90, 90]) };
        desk.store.start_session(&new, MANY, &SessionStart::default()).unwrap();
    };
    start(2);
    assert!(is_alive(desk, &old), "at its last good moment");
    start(3);
    assert!(!is_alive(desk, &old));
    assert!(is_alive(desk, &bobs), "another user's");
}

fn renews_a_session_later_and_never_earlier(desk: &Desk) {
    let session = with_ann(desk);
    let renew = |active, idle| {
        let [active, idle] = [active, idle].map(Moment::from_millis);
        desk.store.renew_session(&session.id, active, idle, active).unwrap()
    };
    let times = || {
        let (_, now) = desk.store.user_of_session(&session.id).unwrap().unwrap();
        [now.active_expires, now.idle_expires, now.seen_at].map(Moment::millis)
    };
    assert!(renew(2, 3));
    assert_eq!(times(), [2, 3, 2]);
    assert!(renew(1, 1), "a slower request that read the clock earlier");
    assert_eq!(times(), [2, 3, 2]);
    assert!(desk.store.end_session(&session.id).unwrap());
    assert!(!renew(2, 3), "a session that was ended does not come back");
    assert!(!is_alive(desk, &session));
}

fn notes_many_uses_at_once_and_moves_nothing_earlier(desk: &Desk) {
    with_ann(desk);
    let renewed = session("ann", [1, 2, 90]);
    desk.store.start_session(&renewed, MANY, &SessionStart::default()).unwrap();
    let seen = session("ann", [1, 2, 3]);
    desk.store.start_session(&seen, MANY, &SessionStart::default()).unwrap();
    let token = access_token("ann", 50);
    desk.store.add_access_token(&token, &seen.id, 9, None).unwrap();
    let gone = session("ann", [1, 2, 3]);
    let note = |times: [i64; 3]| {
        let [active_expires, idle_expires, at] = times.map(Moment::from_millis);
        let uses = [
            Use::Session { id: gone.id, at },
            Use::Renewal { id: gone.id, active_expires, idle_expires, at },
            Use::AccessToken { id: gone.id, at },
            Use::Renewal { id: renewed.id, active_expires, idle_expires, at },
            Use::Session { id: seen.id, at },
            Use::AccessToken { id: token.id, at },
        ];
        desk.store.note_uses(&uses)
    };
    let times = |session: &Session| {
        let (_, now) = desk.store.user_of_session(&session.id).unwrap().unwrap();
        [now.active_expires, now.idle_expires, now.seen_at].map(Moment::millis)
    };
    for later in [[20, 30, 10], [2, 3, 1]] {
        assert_eq!(note(later), Ok(()));
        assert_eq!((times(&renewed), times(&seen)), ([20, 30, 10], [1, 2, 10]));
        let (_, found) = desk.store.user_of_access_token(&token.id).unwrap().unwrap();
        assert_eq!(found.used_at, Some(Moment::from_millis(10)));
    }
    assert!(!is_alive(desk, &gone), "a session that was ended does not come back");
    assert_eq!(desk.store.note_uses(&[]), Ok(()));
}

fn ends_one_session_or_all_of_one_user(desk: &Desk) {
    let first = with_ann(desk);
    let second = session("ann", [1, 2, 3]);
    desk.store.start_session(&second, MANY, &SessionStart::default()).unwrap();
    let bobs = session("bob", [1, 2, 3]);
    desk.store
        .sign_up(&user("bob"), &key("bob"), Some(&bobs), None, &SessionStart::default())
        .unwrap();
    assert_eq!(desk.store.sessions_of(&user("ann").id).unwrap().len(), 2);
    assert_eq!(desk.store.end_session(&first.id), Ok(true));
    assert_eq!(desk.store.end_session(&first.id), Ok(false));
    assert!(is_alive(desk, &second));
    assert_eq!(desk.store.end_sessions_of(&user("ann").id), Ok(1));
    assert!(!is_alive(desk, &second) && is_alive(desk, &bobs));
}

fn ends_the_oldest_sessions_of_a_user_beyond_the_limit(desk: &Desk) {
    with_ann(desk);
    let at = |n| Session { created_at: Moment::from_millis(n), ..session("ann", [9, 9, 9]) };
    let (old, middle, new) = (at(2), at(3), at(4));
    for it in [&old, &middle, &new] {
        desk.store.start_session(it, 2, &SessionStart::default()).unwrap();
    }
    assert_eq!(desk.store.sessions_of(&user("ann").id).unwrap().len(), 2);
    assert!(!is_alive(desk, &old) && is_alive(desk, &middle) && is_alive(desk, &new));
    let slow = at(0);
    desk.store.start_session(&slow, 2, &SessionStart::default()).unwrap();
    assert!(is_alive(desk, &slow), "the new one stays, even if its clock is behind");
}

fn deletes_dead_sessions_in_batches_and_no_living_one(desk: &Desk) {
    with_ann(desk);
    for idle in [5, 5, 5, 6] {
        desk.store
            .start_session(&session("ann", [idle, idle, idle]), MANY, &SessionStart::default())
            .unwrap();
    }
    let now = Moment::from_millis(6);
    assert_eq!(desk.store.delete_dead_sessions(now, 3), Ok(3));
    assert_eq!(desk.store.delete_dead_sessions(now, 3), Ok(1));
    assert_eq!(desk.store.delete_dead_sessions(now, 3), Ok(0));
    assert_eq!(desk.count("user_session"), 1, "the one whose last good moment is now");
    let later = Moment::from_millis(7);
    assert_eq!(desk.store.delete_dead_sessions_of(&user("bob").id, later), Ok(0));
    assert_eq!(desk.store.delete_dead_sessions_of(&user("ann").id, later), Ok(1));
}

fn knows_a_browser_by_account_until_it_was_not_used_for_long(desk: &Desk) {
    with_ann(desk);
    let secret = Token::random().hash();
    let used = |at| Device {
        id: secret,
        user_id: user("ann").id,
        last_used_at: Moment::from_millis(at),
        second_at: Moment::NEVER,
    };
    let sign_in = |at| {
        let entry = SessionStart { device: Some(used(at)), ..SessionStart::default() };
        desk.store.start_session(&session("ann", [1, 2, 3]), MANY, &entry).unwrap();
    };
    let knows = |name: &str, earliest| {
        let key = KeyId::username(name);
        let (earliest, now) = (Moment::from_millis(earliest), Moment::from_millis(9));
        desk.store.has_device(&secret, &key, earliest, now).unwrap()
    };
    assert!(!knows("ann", 0) && !desk.store.knows_device(&secret).unwrap());
    sign_in(5);
    assert!(knows("ann", 5) && !knows("ann", 6) && !knows("bob", 0));
    sign_in(8);
    assert!(knows("ann", 8));
    assert_eq!(desk.count("device"), 1);
    assert_eq!(desk.store.delete_unused_devices(Moment::from_millis(8), 10), Ok(0));
    assert_eq!(desk.store.delete_unused_devices(Moment::from_millis(9), 10), Ok(1));
    sign_in(8);
    assert!(desk.store.delete_user(&user("ann").id, None, None).unwrap());
    assert_eq!(desk.count("device"), 0, "they go with the user");
}

fn keeps_a_bounded_number_of_counts_and_forgets_those_first_that_matter_least(desk: &Desk) {
    let count = |until| {
        move |_: usize, _: Option<Count>| Count {
            failures: 1,
            last_at: Moment::from_millis(1),
            until: Moment::from_millis(until),
        }
    };
    let live = CountId::new([0xff; 16]);
    desk.store.change_counts(&[live], &count(1_000), 100).unwrap();
    for n in 0..500_u16 {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        desk.store.change_counts(&[CountId::new(id)], &count(2), 100).unwrap();
    }
    assert!(desk.count("throttle") <= 113, "{} rows", desk.count("throttle"));
    assert!(desk.store.count(&live).unwrap().is_some(), "a live penalty");
}

// A clock that was wrong. It is 10,000,000 here, and five minutes later is the last moment that can pass for
// the past of another server.

const NOW: Moment = Moment::from_millis(10_000_000);
const LATEST: Moment = Moment::from_millis(10_300_000);
const AHEAD: Moment = Moment::from_millis(10_300_001);
const END: i64 = 900_000_000;

fn takes_no_link_or_invitation_that_is_made_in_the_future(desk: &Desk) {
    let store = &desk.store;
    for (name, created_at, is_good) in [("ann", LATEST, true), ("bob", AHEAD, false)] {
        store.add_user(&user(name), &[key(name)]).unwrap();
        let link = OneTimeToken { created_at, ..reset_link(name, END) };
        store.add_one_time_token(&link).unwrap();
        assert_eq!(
            store.user_of_one_time_token(&link.id, Purpose::ResetPassword, NOW).unwrap().is_some(),
            is_good,
            "{name}"
        );
        assert_eq!(store.reset_password(&link.id, &hash("$two"), None, NOW), Ok(is_good), "{name}");
        let stored = store.key(&key(name).id).unwrap().unwrap().hashed_password;
        assert!((stored == Some(hash("$two"))) == is_good, "{name}");
    }
    for (name, created_at, uses, is_good) in [
        ("eve", LATEST, 1, true),
        ("flo", LATEST, 2, true),
        ("gus", AHEAD, 1, false),
        ("hal", AHEAD, 2, false),
    ] {
        let it = Invite { created_at, ..invite(uses, END) };
        store.add_invite(&it).unwrap();
        assert_eq!(store.invite(&it.id, NOW).unwrap().is_some(), is_good, "{name}");
        assert_eq!(store.invites(NOW).unwrap().contains(&it), is_good, "{name}");
        let user = User { created_at: NOW, ..user(name) };
        let session = session(name, [1, 2, 3]);
        let done = store.sign_up(
            &user,
            &key(name),
            Some(&session),
            Some(&it.id),
            &SessionStart::default(),
        );
        let expected = if is_good { SignedUp::Done } else { SignedUp::NotInvited };
        assert_eq!(done, Ok(expected), "{name}");
    }
}

fn lets_a_later_use_stand_unless_it_is_of_the_future(desk: &Desk) {
    with_ann(desk);
    let store = &desk.store;
    for (noted, expected) in [(LATEST, LATEST), (AHEAD, NOW)] {
        let ends = Moment::from_millis(END);
        let started = |noted| {
            let session = session("ann", [1, 2, END]);
            let session = Session { seen_at: noted, proven_at: noted, ..session };
            store.start_session(&session, MANY, &SessionStart::default()).unwrap();
            session
        };
        let found = |it: &Session| store.user_of_session(&it.id).unwrap().unwrap().1;
        let session = started(noted);
        assert_eq!(store.touch_session(&session.id, NOW), Ok(true));
        let seen = found(&session);
        assert_eq!((seen.seen_at, seen.proven_at), (expected, noted), "no password was given");
        assert_eq!(store.note_reauthentication(&session.id, NOW), Ok(true));
        assert_eq!(found(&session).proven_at, expected);
        let session = started(noted);
        assert_eq!(store.renew_session(&session.id, ends, ends, NOW), Ok(true));
        assert_eq!(found(&session).seen_at, expected);
        let token = access_token("ann", END);
        store.add_access_token(&token, &session.id, 9, None).unwrap();
        assert_eq!(store.touch_access_token(&token.id, noted), Ok(true));
        assert_eq!(store.touch_access_token(&token.id, NOW), Ok(true));
        let (_, token) = store.user_of_access_token(&token.id).unwrap().unwrap();
        assert_eq!(token.used_at, Some(expected));
    }
}

fn knows_no_browser_and_keeps_no_session_of_the_future_before_others(desk: &Desk) {
    with_ann(desk);
    let store = &desk.store;
    let sign_in = |at: Moment| {
        let device = Device {
            id: Token::random().hash(),
            user_id: user("ann").id,
            last_used_at: at,
            second_at: Moment::NEVER,
        };
        let session = Session { created_at: at, ..session("ann", [END, END, END]) };
        let secret = device.id;
        let entry = SessionStart { device: Some(device), ..SessionStart::default() };
        assert_eq!(store.start_session(&session, 100, &entry), Ok(SessionStarted::Done));
        (session, secret)
    };
    let knows = |secret, now| {
        let earliest = Moment::from_millis(0);
        store.has_device(secret, &KeyId::username("ann"), earliest, now).unwrap()
    };
    let (_, late) = sign_in(LATEST);
    let (_, ahead) = sign_in(AHEAD);
    assert!(knows(&late, NOW) && !knows(&ahead, NOW) && knows(&ahead, AHEAD));
    // As many as a user may have.
    (0..100).for_each(|_| drop(sign_in(AHEAD)));
    let (first, secret) = sign_in(NOW);
    sign_in(NOW);
    assert!(is_alive(desk, &first) && knows(&secret, NOW), "others of the future go before it");
    assert_eq!([desk.count("user_session"), desk.count("device")], [100, 100]);
}

fn finds_the_counts_whose_last_failure_is_of_the_future(desk: &Desk) {
    let id = |number| CountId::new([number; 16]);
    for (number, last_at, until) in [
        (1, NOW, AHEAD),
        (2, LATEST, LATEST),
        (3, AHEAD, AHEAD),
        (4, AHEAD, Moment::from_millis(END)),
    ] {
        let count = Count { failures: 1, last_at, until };
        desk.store.change_counts(&[id(number)], &|_, _| count, MANY).unwrap();
    }
    let mut found = desk.store.counts_after(LATEST, 9).unwrap();
    found.sort_by_key(|it| *it != id(3));
    assert_eq!(found, [id(3), id(4)]);
    assert_eq!(desk.store.counts_after(LATEST, 1).unwrap().len(), 1);
    assert_eq!(desk.store.counts_after(AHEAD, 9), Ok(Vec::new()));
}

fn shows_no_session_of_the_future_to_an_export(desk: &Desk) {
    with_ann(desk);
    let store = &desk.store;
    let made = |created_at| Session { created_at, ..session("ann", [END, END, END]) };
    let (late, ahead) = (made(LATEST), made(AHEAD));
    for it in [&late, &ahead] {
        store.start_session(it, MANY, &SessionStart::default()).unwrap();
    }
    let mut shown = Vec::new();
    store
        .each_user(Some(NOW), &mut |it| {
            shown.extend(it.sessions);
            true
        })
        .unwrap();
    assert!(shown == [late]);
}

fn says_which_record_was_kept_last_whichever_moment_it_is_of(desk: &Desk) {
    assert_eq!(desk.store.last_record(), Ok(None));
    desk.store.add_records(&[record(9, "first"), record(5, "second")]).unwrap();
    assert_eq!(desk.store.last_record(), Ok(Some(record(5, "second"))));
    desk.store.add_records(&[record(7, "third")]).unwrap();
    assert_eq!(desk.store.last_record(), Ok(Some(record(7, "third"))));
}

fn notes_when_the_clock_was_believed_unless_another_server_has_noted_something_else(desk: &Desk) {
    let [one, two] = [TODAY, LATER].map(Some);
    let (mine, other) = (desk.node(0), desk.node(1));
    assert_eq!(mine.believed_at(), Ok(None));
    assert_eq!(mine.believe(None, TODAY), Ok(true));
    assert_eq!((other.believed_at(), other.believe(None, LATER)), (Ok(one), Ok(false)));
    assert_eq!(other.believe(one, LATER), Ok(true));
    assert_eq!((mine.believed_at(), mine.believe(one, TODAY)), (Ok(two), Ok(false)));
    assert_eq!(mine.believe(two, TODAY), Ok(true), "a clock goes back as well");
    assert_eq!(desk.store.add_records(&[record(9, "later")]), Ok(()));
    assert_eq!(desk.store.believed_at(), Ok(one));
}

fn keeps_lucias_names_and_units_in_the_tables(desk: &Desk) {
    let session = with_ann(desk);
    let row = desk.raw().row(
        "SELECT user.id, username, hashed_password FROM user JOIN user_key ON user_id = user.id
          WHERE user_key.id = 'username:ann'",
    );
    assert_eq!(row, ["id-ann", "ANN", "$one"]);
    let row =
        desk.raw().row("SELECT lower(hex(id)), active_expires, idle_expires FROM user_session");
    assert_eq!(row, [&*hex(session.id.as_bytes()), "1", "2"]);
}

fn admits_many_of_whom_much_is_known(desk: &Desk) {
    // More than servers take in one packet, and each less than a page of a form.
    let attributes = format!("{{\"about\":\"{}\"}}", "x".repeat(60_000));
    let arrival = |n: u32| ImportedUser {
        user: user(&format!("n{n}")),
        is_known_by_name: false,
        attributes: attributes.clone(),
        keys: vec![key(&format!("n{n}"))],
        sessions: Vec::new(),
        second_factor: None,
        passkeys: Vec::new(),
    };
    let all: Vec<_> = (0..300).map(arrival).collect();
    let standings = desk.store.import_users(&all, false, TODAY, &|_| None, &mut |_, _| {}).unwrap();
    assert!(standings.iter().all(|it| *it == ImportStatus::New));
    assert_eq!([desk.count("user"), desk.count("user_key")], [300, 300]);
    assert_eq!(desk.store.attributes(&user("n299").id), Ok(Some(attributes)));
}

fn reads_what_others_wrote(desk: &Desk) {
    let mut raw = desk.raw();
    raw.run(
        "INSERT INTO user (id, username, canonical_username, created_at, group_names, email,
                           attributes)
         VALUES ('u1', 'Bob', 'bob', 5, 'a,b', 'bob@example.com', '{}')",
    );
    raw.run(
        "INSERT INTO user_key (id, user_id, hashed_password) VALUES ('github:1:2', 'u1', NULL)",
    );
    raw.run(
        "INSERT INTO user_session (id, user_id, active_expires, idle_expires, absolute_expires,
           created_at, proven_at, seen_at, is_transient, browser, address) VALUES
           (x'00010203040506070809101112131415161718192021222324252627282930ff', 'u1', 10, 20, 30,
            4, 4, 4, 0, 'curl', '192.0.2.1')",
    );
    let bob = desk.store.user_by_name("bob").unwrap().unwrap();
    assert_eq!((bob.id.as_str(), &*bob.username, bob.created_at.millis()), ("u1", "Bob", 5));
    assert_eq!((bob.groups.as_str(), &*bob.email), ("a,b", "bob@example.com"));
    assert_eq!(desk.store.attributes(&bob.id), Ok(Some("{}".to_owned())));
    let key = desk.store.keys_of(&bob.id).unwrap().remove(0);
    assert_eq!((key.id.provider(), key.id.provider_user_id()), ("github", "1:2"));
    assert!(key.hashed_password.is_none());
    let session = desk.store.sessions_of(&bob.id).unwrap().remove(0);
    let times = [session.active_expires, session.idle_expires, session.absolute_expires];
    assert_eq!(times.map(Moment::millis), [10, 20, 30]);
    assert_eq!((session.created_at.millis(), session.id.as_bytes()[31]), (4, 0xff));
    assert_eq!((&*session.place.browser, &*session.place.address), ("curl", "192.0.2.1"));
}

fn ends_access_tokens_with_the_password_and_with_the_user(desk: &Desk) {
    for end in ["password", "change", "user"] {
        let live = session(end, [1, 2, 3]);
        sign_up(&*desk.store, end, &live);
        let token = access_token(end, 50);
        assert_eq!(
            desk.store.add_access_token(&token, &live.id, 2, None),
            Ok(AccessTokenAdded::Done)
        );
        match end {
            "password" => drop(desk.store.set_password(&user(end).id, Some(&hash("$two")))),
            "change" => {
                let (next, entry) = (session(end, [1, 2, 3]), SessionStart::default());
                let proof = epoch_of(desk, end);
                let changed = desk.store.change_password(proof, &hash("$two"), &next, &entry);
                assert_eq!(changed, Ok(PasswordChanged::Done));
            }
            _ => drop(desk.store.delete_user(&user(end).id, None, None)),
        }
        assert_eq!(desk.count("access_token"), 0, "{end}");
    }
}

fn changes_a_password_only_under_the_epoch_of_the_proof(desk: &Desk) {
    let before = with_ann(desk);
    let entry = SessionStart::default();
    let change = |proof: Epoch, new: &str, session: &Session| {
        desk.store.change_password(proof, &hash(new), session, &entry)
    };
    let (late, next) = (session("ann", [1, 2, 3]), session("ann", [1, 2, 3]));
    let proof = epoch_of(desk, "ann");
    desk.store.replace_hash(&user("ann").id, &hash("$one"), &hash("$anew")).unwrap();
    assert_eq!(change(proof, "$two", &next), Ok(PasswordChanged::Done), "it was only hashed anew");
    assert!(!is_alive(desk, &before) && is_alive(desk, &next));
    assert_eq!(change(proof, "$late", &late), Ok(PasswordChanged::ProofOutdated));
    assert!(is_alive(desk, &next) && !is_alive(desk, &late));
    assert_eq!(hashes_of(desk, "ann"), ["username:ann $two"]);
    let proof = epoch_of(desk, "ann");
    assert_eq!(
        change(proof, "$late", &session("eve", [1, 2, 3])),
        Ok(PasswordChanged::ProofOutdated)
    );
    desk.raw().run("UPDATE user SET disabled_at = 5");
    assert_eq!(change(proof, "$late", &late), Ok(PasswordChanged::ProofOutdated), "shut out");
    assert_eq!(hashes_of(desk, "ann"), ["username:ann $two"]);
}

fn lets_no_client_in_by_what_was_proven_before_a_credential_changed(desk: &Desk) {
    with_ann(desk);
    give_key(desk, "ann", ("github", "1"), None);
    let (store, ann) = (&desk.store, user("ann").id);
    let start = |proof| {
        let entry = SessionStart { proof: Some(proof), ..SessionStart::default() };
        store.start_session(&session("ann", [1, 2, 3]), MANY, &entry)
    };
    let proof = epoch_of(desk, "ann");
    assert_eq!(start(proof), Ok(SessionStarted::Done));
    assert_eq!(store.replace_hash(&ann, &hash("$one"), &hash("$anew")), Ok(true));
    assert_eq!(start(proof), Ok(SessionStarted::Done), "the password is the same");
    let shut_out_for_a_moment = || {
        store.disable_user(&ann, "", Moment::from_millis(9))?;
        store.enable_user(&ann)
    };
    let ways: [&dyn Fn() -> store::Result<bool>; 3] = [
        &|| store.set_password(&ann, Some(&hash("$two"))).map(|it| it == PasswordSet::Done),
        &|| store.delete_key(&ann, &KeyId::new("github", "1").unwrap(), None),
        &shut_out_for_a_moment,
    ];
    for (number, change) in ways.into_iter().enumerate() {
        let proof = epoch_of(desk, "ann");
        assert_eq!(change(), Ok(true), "{number}");
        assert_eq!(start(proof), Ok(SessionStarted::ProofOutdated), "{number}");
        assert_eq!(start(epoch_of(desk, "ann")), Ok(SessionStarted::Done), "{number}");
    }
}

fn ends_all_other_sessions_of_a_user(desk: &Desk) {
    let kept = with_ann(desk);
    let bobs = session("bob", [1, 2, 3]);
    sign_up(&*desk.store, "bob", &bobs);
    for _ in 0..3 {
        let other = session("ann", [1, 2, 3]);
        desk.store.start_session(&other, MANY, &SessionStart::default()).unwrap();
    }
    assert_eq!(desk.store.end_other_sessions(&user("ann").id, &kept.id), Ok(3));
    assert_eq!(desk.store.end_other_sessions(&user("ann").id, &kept.id), Ok(0));
    assert!(is_alive(desk, &kept) && is_alive(desk, &bobs));
}

fn keeps_one_reset_link_of_a_user_and_uses_it_once(desk: &Desk) {
    let before = with_ann(desk);
    let at = Moment::from_millis;
    let (first, last) = (reset_link("ann", 50), reset_link("ann", 50));
    assert_eq!(desk.store.add_one_time_token(&first), Ok(OneTimeTokenAdded::Done));
    assert_eq!(desk.store.add_one_time_token(&last), Ok(OneTimeTokenAdded::Done));
    assert_eq!(
        desk.store.add_one_time_token(&reset_link("eve", 50)),
        Ok(OneTimeTokenAdded::NoUser)
    );
    assert_eq!(desk.count("one_time_token"), 1);
    assert_eq!(
        desk.store.user_of_one_time_token(&first.id, Purpose::ResetPassword, at(9)),
        Ok(None)
    );
    assert_eq!(
        desk.store.user_of_one_time_token(&last.id, Purpose::ResetPassword, at(50)),
        Ok(Some((user("ann"), String::new())))
    );
    assert_eq!(
        desk.store.user_of_one_time_token(&last.id, Purpose::ResetPassword, at(51)),
        Ok(None)
    );
    assert_eq!(desk.store.reset_password(&last.id, &hash("$late"), None, at(51)), Ok(false));
    assert!(is_alive(desk, &before));
    assert_eq!(desk.store.reset_password(&last.id, &hash("$two"), None, at(50)), Ok(true));
    assert_eq!(desk.store.reset_password(&last.id, &hash("$three"), None, at(50)), Ok(false));
    assert!(!is_alive(desk, &before));
    let stored = desk.store.key(&key("ann").id).unwrap().unwrap().hashed_password;
    assert!(stored == Some(hash("$two")));
}

fn takes_an_invitation_until_its_uses_or_its_time_are_over(desk: &Desk) {
    let at = Moment::from_millis;
    let (one, two, late) = (invite(1, 50), invite(2, 50), invite(1, 6));
    for it in [&one, &two, &late] {
        desk.store.add_invite(it).unwrap();
    }
    assert!(desk.store.invite(&two.id, at(50)).unwrap() == Some(two.clone()));
    assert!(desk.store.invite(&two.id, at(51)).unwrap().is_none());
    assert_eq!(desk.store.invites(at(7)).unwrap().len(), 2);
    // A user who signs up here does so at 7.
    let sign_up = |name: &str, it: &Invite| {
        let session = session(name, [1, 2, 3]);
        desk.store.sign_up(
            &user(name),
            &key(name),
            Some(&session),
            Some(&it.id),
            &SessionStart::default(),
        )
    };
    assert_eq!(sign_up("eve", &late), Ok(SignedUp::NotInvited));
    assert_eq!(sign_up("ann", &two), Ok(SignedUp::Done));
    assert_eq!(sign_up("ann", &two), Ok(SignedUp::NameTaken), "and no use is gone");
    assert_eq!(sign_up("bob", &two), Ok(SignedUp::Done));
    assert_eq!(sign_up("eve", &two), Ok(SignedUp::NotInvited));
    assert_eq!(sign_up("eve", &one), Ok(SignedUp::Done));
    assert_eq!([desk.count("user"), desk.count("user_session"), desk.count("invite")], [3, 3, 1]);
    assert_eq!(desk.store.delete_invite(&late.id), Ok(true));
    assert_eq!(desk.store.delete_invite(&late.id), Ok(false));
}

fn keeps_one_invitation_for_the_first_account_while_there_is_none(desk: &Desk) {
    let at = Moment::from_millis;
    let first = || Invite { is_first: true, ..invite(1, 50) };
    let (old, new) = (first(), first());
    assert_eq!(desk.store.add_first_invite(&old), Ok(true));
    assert_eq!(desk.store.add_first_invite(&new), Ok(true));
    assert!(desk.store.invite(&old.id, at(7)).unwrap().is_none());
    assert!(desk.store.invite(&new.id, at(7)).unwrap() == Some(new.clone()));
    desk.store.add_user(&user("ann"), &[]).unwrap();
    assert!(desk.store.invite(&new.id, at(7)).unwrap().is_none());
    let session = session("bob", [1, 2, 3]);
    let entry = SessionStart::default();
    let done = desk.store.sign_up(&user("bob"), &key("bob"), Some(&session), Some(&new.id), &entry);
    assert_eq!(done, Ok(SignedUp::NotInvited));
    assert_eq!(desk.store.add_first_invite(&first()), Ok(false));
    assert_eq!(desk.count("user"), 1);
}

fn deletes_what_has_ended_in_batches_and_nothing_else(desk: &Desk) {
    let at = Moment::from_millis;
    let store = &desk.store;
    for (name, end) in [("a", 5), ("b", 5), ("c", 5), ("d", 6)] {
        store.add_user(&user(name), &[]).unwrap();
        assert_eq!(store.add_one_time_token(&reset_link(name, end)), Ok(OneTimeTokenAdded::Done));
        store.add_invite(&invite(1, end)).unwrap();
        store.add_records(&[record(end, name)]).unwrap();
        let mut id = [0; 16];
        id[0] = name.as_bytes()[0];
        let count = Count { failures: 1, last_at: at(end), until: at(end) };
        store.change_counts(&[CountId::new(id)], &|_, _| count, MANY).unwrap();
    }
    let batches: [&dyn Fn() -> store::Result<usize>; 4] = [
        &|| store.delete_ended_one_time_tokens(at(6), 2),
        &|| store.delete_ended_invites(at(6), 2),
        &|| store.delete_records(at(6), 2),
        &|| store.delete_old_counts(at(6), 2),
    ];
    for (table, delete) in
        ["one_time_token", "invite", "audit", "throttle"].into_iter().zip(batches)
    {
        for expected in [2, 1, 0] {
            assert_eq!(delete(), Ok(expected), "{table}");
        }
        assert_eq!(desk.count(table), 1, "the one of {table} whose last moment is now");
    }
}

fn forgets_the_browsers_first_that_were_used_least_lately(desk: &Desk) {
    with_ann(desk);
    let secrets: Vec<_> = (0..103).map(|_| Token::random().hash()).collect();
    for (at, secret) in (0..).zip(&secrets) {
        let (id, user_id) = (*secret, user("ann").id);
        let device = Some(Device {
            id,
            user_id,
            last_used_at: Moment::from_millis(at),
            second_at: Moment::NEVER,
        });
        let entry = SessionStart { device, ..SessionStart::default() };
        desk.store.start_session(&session("ann", [1, 2, 3]), 2, &entry).unwrap();
    }
    let known = desk.store.devices_of_key(&key("ann").id).unwrap();
    assert_eq!(known.len(), 100);
    assert!(secrets[..3].iter().all(|it| !known.contains(it)));
}

fn tells_names_apart_that_differ_in_a_space_in_case_or_in_an_accent(desk: &Desk) {
    // In the order of their bytes.
    let names = ["BOB", "bob", "bob ", "bo\u{308}b", "bo\u{dc}b", "bob\u{a0}", "b\u{f6}b"];
    let mut names = names.to_vec();
    names.sort_unstable_by_key(|it| it.as_bytes());
    for name in &names {
        sign_up(&*desk.store, name, &session(name, [1, 2, 3]));
    }
    for name in &names {
        assert_eq!(desk.store.user_by_name(name), Ok(Some(user(name))), "{name:?}");
        assert_eq!(desk.store.user(&user(name).id), Ok(Some(user(name))), "{name:?}");
        let (found, _) = desk.store.user_of_key(&key(name).id).unwrap().unwrap();
        assert_eq!(found, user(name));
        assert_eq!(desk.store.sessions_of(&user(name).id).unwrap().len(), 1, "{name:?}");
    }
    let after = |name: Option<&str>, limit| -> Vec<String> {
        let after = name.map(user);
        let page = UserPage { after: after.as_ref(), limit, ..UserPage::default() };
        let found = desk.store.users(&UserFilter::default(), &page).unwrap();
        found.into_iter().map(|it| it.canonical_username).collect()
    };
    assert_eq!(after(None, None), names);
    assert_eq!(after(Some("bob"), Some(1)), ["bob "]);
    assert_eq!(desk.store.delete_user(&user("bob ").id, None, None), Ok(true));
    assert_eq!(desk.count("user"), 6);
    assert_eq!(
        desk.store.rename_user(&user("bob").id, "Bob ", "bob ", None, TODAY),
        Ok(UserRenamed::Done)
    );
}

fn takes_a_change_that_changes_nothing_for_a_change(desk: &Desk) {
    let live = with_ann(desk);
    let (ann, at) = (user("ann").id, Moment::from_millis);
    let store = &desk.store;
    let token = access_token("ann", 50);
    store.add_access_token(&token, &live.id, 9, None).unwrap();
    for time in ["first", "again"] {
        assert_eq!(store.set_email(&ann, "a@b", None, None), Ok(true), "{time}");
        assert_eq!(store.set_groups(&ann, &Groups::new("a".to_owned())), Ok(true), "{time}");
        assert_eq!(store.enable_user(&ann), Ok(true), "{time}");
        assert_eq!(store.note_reauthentication(&live.id, at(2)), Ok(true), "{time}");
        assert_eq!(store.renew_session(&live.id, at(2), at(3), at(2)), Ok(true), "{time}");
        assert_eq!(store.touch_access_token(&token.id, at(2)), Ok(true), "{time}");
        let replaced = store.replace_hash(&ann, &hash("$one"), &hash("$one"));
        assert_eq!(replaced, Ok(true), "{time}");
        assert_eq!(
            store.rename_user(&ann, "Ann", "ann", None, TODAY),
            Ok(UserRenamed::Done),
            "{time}"
        );
    }
    for time in ["first", "again"] {
        assert_eq!(store.disable_user(&ann, "left", at(9)), Ok(true), "{time}");
        assert_eq!(store.set_password(&ann, None), Ok(PasswordSet::Done), "{time}");
    }
}

/// Texts that programs have cut, folded or taken for a command before.
fn texts() -> [String; 8] {
    [
        String::new(),
        "  spaces at both ends ".to_owned(),
        "quotes ' \" ` and ; -- /* # %".to_owned(),
        "back\\slash \\0 \\' \\\\".to_owned(),
        "nothing \0 and more".to_owned(),
        "lines\r\n\ttab \u{1a} \u{85}".to_owned(),
        "e\u{301} \u{e9} \u{fb01} \u{202e} \u{feff}".to_owned(),
        "\u{1f99c}\u{10ffff}".to_owned(),
    ]
}

fn gives_back_every_text_as_it_was(desk: &Desk) {
    let live = with_ann(desk);
    let (ann, store) = (user("ann").id, &desk.store);
    let long = ["\u{1f99c}".repeat(60), "x".repeat(300), "\u{e9}".repeat(255)];
    for (n, text) in texts().iter().chain(&long).enumerate() {
        store.set_email(&ann, text, None, None).unwrap();
        assert_eq!(store.user(&ann).unwrap().unwrap().email, *text);
        let place = ClientInfo { browser: text.clone(), ..ClientInfo::default() };
        let session = Session { place, ..session("ann", [1, 2, 3]) };
        store.start_session(&session, MANY, &SessionStart::default()).unwrap();
        let (_, found) = store.user_of_session(&session.id).unwrap().unwrap();
        assert_eq!(found.place.browser, *text);
        let token = AccessToken { name: text.clone(), ..access_token("ann", 50) };
        store.add_access_token(&token, &live.id, MANY, None).unwrap();
        assert!(store.user_of_access_token(&token.id).unwrap().unwrap().1 == token);
        let other = User {
            id: UserId::new(format!("{n}{}", text.chars().take(30).collect::<String>())),
            username: text.chars().take(60).collect(),
            canonical_username: text.chars().take(60).collect(),
            ..user("other")
        };
        let id = KeyId::username(&other.canonical_username);
        let hashed_password = Some(hash(text));
        let key = Key { id, user_id: other.id.clone(), hashed_password };
        assert_eq!(store.add_user(&other, std::slice::from_ref(&key)), Ok(UserAdded::Done));
        assert_eq!(store.user(&other.id), Ok(Some(other.clone())));
        assert_eq!(store.user_by_name(&other.canonical_username), Ok(Some(other)));
        assert!(store.key(&key.id).unwrap() == Some(key));
        let notes = [record(1, text)];
        store.add_records(&notes).unwrap();
        assert_eq!(all_records(&**store)[n].record, notes[0]);
    }
    for note in texts().iter().chain([&"\u{1f99c}".repeat(4_000), &"n".repeat(4_000)]) {
        let invite = Invite { note: note.clone(), ..invite(1, 50) };
        store.add_invite(&invite).unwrap();
        assert!(store.invite(&invite.id, Moment::from_millis(7)).unwrap() == Some(invite));
    }
}

fn cuts_no_text_however_long_it_is(desk: &Desk) {
    let live = with_ann(desk);
    let (ann, store) = (user("ann").id, &desk.store);
    for length in [1_000, 10_000, 100_000] {
        let long = "\u{e9}".repeat(length);
        let before = store.user(&ann).unwrap().unwrap().email;
        let is_kept = store.set_email(&ann, &long, None, None).is_ok();
        let found = store.user(&ann).unwrap().unwrap().email;
        assert!(found == if is_kept { long.clone() } else { before }, "an address of {length}");
        let invite = Invite { note: long.clone(), ..invite(1, 50) };
        let is_kept = store.add_invite(&invite).is_ok();
        let found = store.invite(&invite.id, Moment::from_millis(7)).unwrap();
        assert!(found == is_kept.then_some(invite), "a note of {length}");
        let token = AccessToken { name: long.clone(), ..access_token("ann", 50) };
        let is_kept = store.add_access_token(&token, &live.id, MANY, None).is_ok();
        let found = store.user_of_access_token(&token.id).unwrap().map(|(_, it)| it);
        assert!(found == is_kept.then_some(token), "a token's name of {length}");
        let many = Record { detail: long.clone(), ..record(1, "") };
        let before = desk.count("audit");
        let is_kept = store.add_records(&[record(1, "first"), many.clone()]).is_ok();
        let all = all_records(&**store);
        assert_eq!(desk.count("audit") - before, if is_kept { 2 } else { 0 });
        assert!(!is_kept || all.last().unwrap().record == many, "a record of {length}");
        let named = User { canonical_username: long.clone(), ..user("bob") };
        let is_kept = store.add_user(&named, &[]).is_ok();
        assert!(store.user(&named.id).unwrap() == is_kept.then_some(named), "a name of {length}");
        store.delete_user(&user("bob").id, None, None).unwrap();
    }
    // And the connection is as good as before.
    assert!(is_alive(desk, &live));
}

fn keeps_every_moment_there_is(desk: &Desk) {
    let store = &desk.store;
    let moments = [i64::MIN, -1, 0, 2_147_483_647_999, 4_102_444_800_000, i64::MAX];
    for (n, at) in moments.into_iter().enumerate() {
        let (name, now) = (format!("n{n}"), Moment::from_millis(at));
        let who = User { created_at: now, disabled_at: None, ..user(&name) };
        let session =
            Session { created_at: now, proven_at: now, seen_at: now, ..session(&name, [at; 3]) };
        let done = store.sign_up(&who, &key(&name), Some(&session), None, &SessionStart::default());
        assert_eq!(done, Ok(SignedUp::Done), "{at}");
        assert!(store.user_of_session(&session.id).unwrap() == Some((who.clone(), session)));
        let who = User { disabled_at: Some(now), ..who };
        assert_eq!(store.disable_user(&who.id, "", now), Ok(true));
        assert_eq!(store.user(&who.id), Ok(Some(who)));
        let id = CountId::new([u8::try_from(n).unwrap(); 16]);
        let count = Count { failures: u32::MAX, last_at: now, until: now };
        store.change_counts(&[id], &|_, _| count, MANY).unwrap();
        assert_eq!(store.count(&id), Ok(Some(count)));
        store.add_records(&[record(at, "")]).unwrap();
        assert_eq!(all_records(&**store)[n].record.at, now);
    }
}

fn keeps_nothing_where_nothing_is_known(desk: &Desk) {
    let live = with_ann(desk);
    let github = Key {
        id: KeyId::new("github", "1").unwrap(),
        user_id: user("ann").id,
        hashed_password: None,
    };
    desk.store.add_key(&github, TODAY).unwrap();
    assert!(desk.store.key(&github.id).unwrap().unwrap().hashed_password.is_none());
    desk.store.add_access_token(&access_token("ann", 5), &live.id, 9, None).unwrap();
    let full = Record {
        user_id: Some("id-ann".to_owned()),
        address: Some(String::new()),
        session: Some("s".to_owned()),
        request: Some("r".to_owned()),
        ..record(1, "")
    };
    let records = [record(1, "empty"), full];
    desk.store.add_records(&records).unwrap();
    assert_eq!(desk.store.records(Moment::from_millis(1), 9), Ok(records.to_vec()));
    let mut raw = desk.raw();
    let nulls = raw.row("SELECT user_id, address, session, request FROM audit WHERE detail <> ''");
    assert_eq!(nulls, ["NULL"; 4]);
    assert_eq!(raw.text("SELECT hashed_password FROM user_key WHERE id = 'github:1'"), "NULL");
    assert_eq!(raw.text("SELECT used_at FROM access_token"), "NULL");
    assert_eq!(raw.text("SELECT disabled_at FROM user"), "NULL");
}

fn adds_records_all_or_nothing_and_tells_them_in_their_order(desk: &Desk) {
    let at = Moment::from_millis;
    desk.store.add_records(&[]).unwrap();
    desk.store.add_records(&[record(5, "a"), record(3, "b")]).unwrap();
    desk.store.add_records(&[record(4, "c")]).unwrap();
    let details =
        |records: Vec<Record>| -> Vec<_> { records.into_iter().map(|it| it.detail).collect() };
    assert_eq!(details(desk.store.records(at(0), 9).unwrap()), ["b", "c", "a"]);
    assert_eq!(details(desk.store.records(at(4), 1).unwrap()), ["c"]);
    let after = |number, since| {
        desk.store.records_after(&RecordFilter::since(at(since)), number, 9).unwrap()
    };
    let all = after(0, 0);
    assert!(all.is_sorted_by(|one, next| one.number < next.number) && all[0].number > 0);
    assert_eq!(details(all.iter().map(|it| it.record.clone()).collect()), ["a", "b", "c"]);
    let later = after(all[0].number, 4).into_iter().map(|it| it.record);
    assert_eq!(details(later.collect()), ["c"]);
    assert!(after(all[2].number, 0).is_empty());
}

fn tells_the_records_of_one_user_the_latest_first(desk: &Desk) {
    let of =
        |user: &str, at, detail| Record { user_id: Some(user.to_owned()), ..record(at, detail) };
    let records = [
        of("id-ann", 3, "early"),
        of("id-bob", 4, "another's"),
        record(5, "no user's"),
        of("id-ann", 9, "late"),
        of("id-ann", 9, "later in the same moment"),
    ];
    desk.store.add_records(&records).unwrap();
    let of = |name, limit| {
        let user_ids = vec![user(name).id.as_str().to_owned()];
        let filter =
            RecordFilter { user_ids, ..RecordFilter::since(Moment::from_millis(i64::MIN)) };
        let found = desk.store.latest_records(&filter, limit).unwrap();
        found.into_iter().map(|it| it.record).collect::<Vec<_>>()
    };
    assert_eq!(of("ann", 9), [4, 3, 0].map(|it| records[it].clone()));
    assert_eq!(of("ann", 1), [records[4].clone()]);
    assert!(of("carl", 9).is_empty());
}

fn shows_every_user_once_with_what_is_theirs(desk: &Desk) {
    let old = session("bob", [1, 2, 3]);
    sign_up(&*desk.store, "bob", &old);
    let new = Session { created_at: Moment::from_millis(1), ..session("bob", [5, 5, 5]) };
    desk.store.start_session(&new, MANY, &SessionStart::default()).unwrap();
    with_ann(desk);
    let shown = |living: Option<i64>, most: usize| {
        let mut all = Vec::new();
        let show = &mut |it: store::ExportedUser| {
            all.push((it.user.canonical_username, it.keys.len(), it.sessions));
            all.len() < most
        };
        desk.store.each_user(living.map(Moment::from_millis), show).unwrap();
        all
    };
    let all = shown(Some(0), 9);
    assert_eq!((&*all[0].0, all[0].1, &*all[1].0, all.len()), ("ann", 1, "bob", 2));
    assert!(all[1].2 == [old, new.clone()]);
    assert!(shown(Some(3), 9)[1].2 == [new]);
    assert!(shown(None, 9).iter().all(|it| it.2.is_empty()));
    assert_eq!(shown(None, 1).len(), 1);
}

fn lets_access_tokens_be_good_again_when_their_owner_is_let_in_again(desk: &Desk) {
    let live = with_ann(desk);
    let token = access_token("ann", 50);
    assert_eq!(desk.store.add_access_token(&token, &live.id, 9, None), Ok(AccessTokenAdded::Done));
    let id = user("ann").id;
    assert_eq!(desk.store.disable_user(&id, "left", Moment::from_millis(5)), Ok(true));
    assert_eq!(desk.store.enable_user(&id), Ok(true));
    assert!(desk.store.user_of_access_token(&token.id).unwrap().is_some());
    assert!(desk.store.access_tokens_of(&id).unwrap() == [token]);
    assert!(!is_alive(desk, &live), "a session came back");
}

fn makes_and_changes_no_table_for_one_who_only_reads(desk: &Desk) {
    let room = desk.room.another();
    let database = room.database(0);
    let refusal = || match store::open_to_read(&database) {
        Err(Error::Broken(text)) => text,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was opened"),
    };
    let number = || store::schema(&database).map_or(0, |(number, _)| number);
    refusal();
    assert_eq!(store::preparation(&database), Ok(Preparation::Make));
    assert_eq!(number(), 0, "no table was made");
    drop(store::open(&database).unwrap());
    let newest = number();
    let mut raw = room.raw();
    let (older, mut set): (u32, Box<dyn FnMut(u32)>) = if database.file().is_some() {
        (1, Box::new(move |number| raw.run(&format!("PRAGMA user_version = {number}"))))
    } else {
        (
            0,
            Box::new(move |number| {
                raw.run(&format!("UPDATE vestibule_schema SET version = {number}"));
            }),
        )
    };
    set(older);
    assert!(refusal().contains("vestibule migrate"));
    assert_eq!(number(), older);
    set(newest);
    assert_eq!(store::preparation(&database), Ok(Preparation::Nothing));
    assert_eq!(store::open_to_read(&database).unwrap().counts().unwrap()[0], ("users", 0));
}

/// What becomes of another user who is made with this name at this moment.
fn add(desk: &Desk, name: &str, now: Moment) -> UserAdded {
    let id = UserId::new(format!("another-{name}-{}", now.millis()));
    let user = User { id, created_at: now, ..user(name) };
    let live = Session { user_id: user.id.clone(), ..session(name, [1, 2, 3]) };
    let key = Key { user_id: user.id.clone(), ..key(name) };
    let done = desk.store.add_user(&user, &[]).unwrap();
    if done == UserAdded::NameReserved {
        let signed_up =
            desk.store.sign_up(&user, &key, Some(&live), None, &SessionStart::default());
        assert_eq!(signed_up, Ok(SignedUp::NameTaken), "{name}");
        assert_eq!(desk.store.user(&user.id), Ok(None), "nothing is written");
    }
    done
}

fn lets_the_name_of_a_deleted_user_rest_and_keeps_nothing_else_of_them(desk: &Desk) {
    with_ann(desk);
    assert_eq!(desk.store.is_name_free("ann", TODAY), Ok(false));
    assert_eq!(desk.store.delete_user(&user("ann").id, Some(LATER), None), Ok(true));
    assert_eq!(desk.store.delete_user(&user("ann").id, Some(LATER), None), Ok(false));
    assert_eq!(desk.store.is_name_free("ann", TODAY), Ok(false));
    assert_eq!(add(desk, "ann", TODAY), UserAdded::NameReserved);
    assert_eq!(add(desk, "anna", TODAY), UserAdded::Done);
    let sql = "SELECT lower(hex(id)), user_id, expires_at FROM resting_name";
    let row = desk.raw().row(sql);
    assert_eq!(row[1..], ["NULL", "50"]);
    let text = b"rest:ann";
    let plain = Token::parse(&"a".repeat(40)).unwrap().hash();
    assert_eq!(row[0].len(), 32);
    assert!(!row[0].contains(&hex(text)) && row[0] != hex(&plain.as_bytes()[..16]));
    let key = *desk.store.handle_key();
    assert_eq!(
        row[0],
        hex(&vestibule::base::token::keyed_hash(&key, "rest:ann")),
        "hashed with a key"
    );
    desk.store.add_user(&user("eve"), &[]).unwrap();
    assert_eq!(desk.store.delete_user(&user("eve").id, None, None), Ok(true));
    assert_eq!(desk.store.is_name_free("eve", TODAY), Ok(true), "where no name is to rest");
}

fn reserves_the_old_name_of_a_user_for_them_alone(desk: &Desk) {
    with_ann(desk);
    desk.store.add_user(&user("bob"), &[]).unwrap();
    let (ann, bob) = (user("ann").id, user("bob").id);
    let rename = |id: &UserId, name: &str| {
        desk.store.rename_user(id, &name.to_uppercase(), name, Some(LATER), TODAY).unwrap()
    };
    assert_eq!(rename(&ann, "ann"), UserRenamed::Done);
    assert_eq!(desk.count("resting_name"), 0, "another spelling of one name");
    assert_eq!(rename(&ann, "anna"), UserRenamed::Done);
    assert_eq!(desk.store.is_name_free("ann", TODAY), Ok(false));
    assert_eq!(add(desk, "ann", TODAY), UserAdded::NameReserved);
    assert_eq!(rename(&bob, "ann"), UserRenamed::NameReserved);
    assert_eq!(desk.store.user(&bob), Ok(Some(user("bob"))), "nothing is written");
    assert_eq!(rename(&bob, "anna"), UserRenamed::NameTaken);
    assert_eq!(rename(&ann, "ann"), UserRenamed::Done, "they take it back");
    assert_eq!(rename(&bob, "anna"), UserRenamed::NameReserved);
    assert_eq!(rename(&ann, "anne"), UserRenamed::Done);
    assert_eq!(desk.store.delete_user(&ann, Some(LATER), None), Ok(true));
    for name in ["ann", "anna", "anne"] {
        assert_eq!(add(desk, name, TODAY), UserAdded::NameReserved, "{name}");
    }
    let sql = "SELECT count(*) FROM resting_name WHERE user_id IS NOT NULL";
    assert_eq!((desk.count("resting_name"), desk.raw().number(sql)), (3, 0));
}

fn reserves_every_sign_in_name_that_a_user_gives_up_for_them_alone(desk: &Desk) {
    with_ann(desk);
    let store = &desk.store;
    store.add_user(&user("bob"), &[]).unwrap();
    let (ann, bob) = (user("ann").id, user("bob").id);
    let give = |id: &UserId, name: &str| store.add_sign_in_name(id, name, TODAY).unwrap();
    let rename =
        |id: &UserId, name: &str| store.rename_user(id, name, name, Some(LATER), TODAY).unwrap();
    let rests = |name: &str| {
        let of_bob = Key { user_id: bob.clone(), ..key(name) };
        assert_eq!(give(&bob, name), KeyAdded::NameReserved, "{name}");
        assert_eq!(store.add_key(&of_bob, TODAY), Ok(KeyAdded::NameReserved), "{name}");
        assert_eq!(rename(&bob, name), UserRenamed::NameReserved, "{name}");
        let with_key = Key { user_id: user("eve").id, ..key(name) };
        assert_eq!(store.add_user(&user("eve"), &[with_key]), Ok(UserAdded::NameReserved));
        assert_eq!(add(desk, name, TODAY), UserAdded::NameReserved, "{name}");
    };
    // A key that is removed.
    assert_eq!((give(&ann, "anni"), give(&ann, "annie")), (KeyAdded::Done, KeyAdded::Done));
    assert_eq!(store.delete_key(&ann, &KeyId::username("anni"), Some(LATER)), Ok(true));
    rests("anni");
    assert_eq!(give(&ann, "anni"), KeyAdded::Done, "they take it back");
    assert_eq!(store.delete_key(&ann, &KeyId::username("anni"), None), Ok(true));
    assert_eq!(store.is_name_free("anni", TODAY), Ok(true), "where no name is to rest");
    // The name of a user is not given up with its key.
    assert_eq!(store.delete_key(&ann, &KeyId::username("ann"), Some(LATER)), Ok(true));
    assert_eq!(desk.count("resting_name"), 0);
    // A key that moves along with a name it does not have, as after an import.
    assert_eq!(rename(&ann, "anne"), UserRenamed::Done);
    rests("ann");
    rests("annie");
    // Those of a user who is deleted.
    assert_eq!(give(&ann, "annett"), KeyAdded::Done);
    assert_eq!(store.delete_user(&ann, Some(LATER), None), Ok(true));
    for name in ["ann", "annie", "anne", "annett"] {
        rests(name);
    }
    let sql = "SELECT count(*) FROM resting_name WHERE user_id IS NOT NULL";
    assert_eq!((desk.count("resting_name"), desk.raw().number(sql)), (4, 0));
    assert_eq!(store.free_name("annett"), Ok(true));
    assert_eq!(give(&bob, "annett"), KeyAdded::Done);
}

fn lets_a_name_rest_until_its_last_moment_or_until_it_is_freed(desk: &Desk) {
    let at = Moment::from_millis;
    for (name, end) in [("a", 5), ("b", 5), ("c", 5), ("d", 6), ("e", 6)] {
        desk.store.add_user(&user(name), &[]).unwrap();
        desk.store.delete_user(&user(name).id, Some(at(end)), None).unwrap();
    }
    assert_eq!(add(desk, "a", at(5)), UserAdded::NameReserved);
    assert_eq!(add(desk, "a", at(6)), UserAdded::Done);
    assert_eq!(desk.store.is_name_free("b", at(6)), Ok(true));
    for expected in [2, 1, 0] {
        assert_eq!(desk.store.delete_rested_names(at(6), 2), Ok(expected));
    }
    assert_eq!(desk.store.free_name("d"), Ok(true));
    assert_eq!(desk.store.free_name("d"), Ok(false));
    assert_eq!(add(desk, "d", at(6)), UserAdded::Done);
    assert_eq!(add(desk, "e", at(6)), UserAdded::NameReserved);
    // What rests already does so for as long as either says.
    let id = UserId::new("another-d-6".to_owned());
    desk.store.rename_user(&id, "D", "x", Some(at(9)), at(6)).unwrap();
    desk.store.rename_user(&id, "D", "d", None, at(6)).unwrap();
    assert_eq!(desk.store.is_name_free("x", at(6)), Ok(true), "where no name is to rest");
    desk.store.rename_user(&id, "D", "x", Some(at(9)), at(6)).unwrap();
    assert_eq!(desk.store.delete_user(&id, Some(at(3)), None), Ok(true));
    assert_eq!(desk.store.is_name_free("d", at(9)), Ok(false));
}

fn admits_no_user_whose_name_is_reserved(desk: &Desk) {
    with_ann(desk);
    assert_eq!(desk.store.delete_user(&user("ann").id, Some(LATER), None), Ok(true));
    // An account that is older than the rest of its name is no exception.
    let arrival = |name: &str| ImportedUser {
        user: user(name),
        is_known_by_name: false,
        attributes: String::new(),
        keys: vec![key(name)],
        sessions: Vec::new(),
        second_factor: None,
        passkeys: Vec::new(),
    };
    let all = [arrival("ann"), arrival("bob")];
    let admit =
        |skip, now| desk.store.import_users(&all, skip, now, &|_| None, &mut |_, _| {}).unwrap();
    assert_eq!(desk.store.import_status(&all, TODAY).unwrap()[0], ImportStatus::NameRests);
    assert!(ImportStatus::NameRests.is_conflict());
    assert_eq!(admit(false, TODAY), [ImportStatus::NameRests, ImportStatus::New]);
    assert_eq!(desk.count("user"), 0);
    assert_eq!(admit(true, TODAY), [ImportStatus::NameRests, ImportStatus::New]);
    assert_eq!(desk.store.user_by_name("ann"), Ok(None));
    let by_another_name = [ImportedUser {
        keys: vec![Key { user_id: user("eve").id, ..key("ann") }],
        ..arrival("eve")
    }];
    assert_eq!(
        desk.store.import_status(&by_another_name, TODAY).unwrap(),
        [ImportStatus::NameRests]
    );
    assert_eq!(admit(false, Moment::from_millis(51))[0], ImportStatus::New);
    assert_eq!(desk.store.user_by_name("ann"), Ok(Some(user("ann"))));
}

fn brings_a_database_of_the_first_schema_of_servers_up_to_date(desk: &Desk) {
    let newest = store::schema(&desk.room.database(0)).unwrap().1;
    with_ann(desk);
    let link = reset_link("ann", 50);
    for sql in [
        "UPDATE user SET epoch = 4",
        "UPDATE user SET email = 'Ann@Example.com'",
        "DROP TABLE resting_name",
        "DROP TABLE one_time_token",
        "DROP TABLE clock",
        "CREATE TABLE ticket (id VARBINARY(32) NOT NULL PRIMARY KEY, user_id VARBINARY(255) NOT NULL,
                              created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL)",
        &format!("INSERT INTO ticket VALUES (x'{}', 'id-ann', 1, 50)", hex(link.id.as_bytes())),
        "INSERT INTO ticket VALUES (x'00', 'id-nobody', 1, 50)",
    ] {
        desk.raw().run(sql);
    }
    desk.room.set_schema(7);
    assert_eq!(store::schema(&desk.room.database(1)), Ok((7, newest)));
    let upgrade = Preparation::Upgrade { from: 7, to: newest };
    assert_eq!(store::preparation(&desk.room.database(1)), Ok(upgrade));
    let again = store::open(&desk.room.database(1)).unwrap();
    assert_eq!(store::schema(&desk.room.database(1)), Ok((newest, newest)));
    let found = again.users_by_email("ann@example.com", 2).unwrap();
    let emails: Vec<_> = found.iter().map(User::verified_email).collect();
    assert_eq!(emails, ["Ann@Example.com"], "set by an operator, and so verified");
    let at = Moment::from_millis;
    assert_eq!(again.reset_password(&link.id, &hash("$late"), None, at(51)), Ok(false));
    assert_eq!(
        again.reset_password(&link.id, &hash("$two"), None, at(50)),
        Ok(true),
        "a living link"
    );
    assert_eq!(again.reset_password(&link.id, &hash("$three"), None, at(50)), Ok(false));
    assert_eq!(desk.count("one_time_token"), 0, "one without a user is left out");
    assert_eq!(again.delete_user(&user("ann").id, Some(LATER), None), Ok(true));
    assert_eq!(again.is_name_free("ann", TODAY), Ok(false));
}

fn puts_handles_in_the_place_of_the_names_of_a_deleted_user(desk: &Desk) {
    let [anna, bert] = ["anna", "bert"].map(user);
    for one in [&anna, &bert] {
        desk.store.add_user(one, &[]).unwrap();
    }
    let of = |name: &str| desk.store.name_handle(name);
    let made = |user: &User, event: &str, detail: &str| Record {
        event: event.to_owned(),
        user_id: Some(user.id.as_str().to_owned()),
        ..record(5, detail)
    };
    let records = [
        made(&anna, "user_rename", "from=ann to=Anna by=root"),
        made(&anna, "user_key_add", "key=username:annette by=root"),
        made(&bert, "user_rename", "from=ann to=bert by=root"),
    ];
    desk.store.add_records(&records).unwrap();
    assert!(desk.store.delete_user(&anna.id, None, None).unwrap());
    let (from, to, key) = (of("ann"), of("anna"), of("annette"));
    let expected = [
        made(&anna, "user_rename", &format!("from={from} to={to} by=root")),
        made(&anna, "user_key_add", &format!("key=username:{key} by=root")),
        records[2].clone(),
    ];
    assert!(desk.store.records(Moment::from_millis(0), 9).unwrap() == expected);
}

fn puts_handles_in_the_place_of_the_names_in_older_records(desk: &Desk) {
    let of = |name: &str| desk.store.name_handle(name);
    let made = |(event, detail): (&str, String)| Record {
        event: event.to_owned(),
        user_id: Some("1".to_owned()),
        ..record(5, &detail)
    };
    let pair = |event, old: &str, new: String| ((event, old.to_owned()), (event, new));
    let mut pairs = vec![
        pair("signup_ok", "name=ANNA browser=\"Firefox on Linux\"", {
            format!("name={} browser=\"Firefox on Linux\"", of("anna"))
        }),
        pair("user_rename", r#"from="Zo\u{eb} x" to=b"#, {
            format!("from={} to={}", of("zo\u{eb} x"), of("b"))
        }),
        pair("user_key_add", "key=username:ann by=root", {
            format!("key=username:{} by=root", of("ann"))
        }),
        pair("user_key_add", "key=github:1 by=root", "key=github:1 by=root".to_owned()),
        pair("copy", "from=old.db rows=1", "from=old.db rows=1".to_owned()),
        pair("token_make", "name=backup", "name=backup".to_owned()),
        pair("login_fail", "name=h:01234567", "name=h:01234567".to_owned()),
    ];
    // More than are rewritten at once.
    for number in 0..1_100 {
        let name = format!("user{number}");
        pairs.push(pair("user_delete", &format!("name={name} sessions=1"), {
            format!("name={} sessions=1", of(&name))
        }));
    }
    let (old, new): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    desk.store.add_records(&old.into_iter().map(made).collect::<Vec<_>>()).unwrap();
    let expected: Vec<_> = new.into_iter().map(made).collect();
    for turn in ["an upgrade", "one that is taken up again"] {
        desk.room.set_schema(10);
        let again = store::open(&desk.room.database(1)).unwrap();
        assert!(again.records(Moment::from_millis(0), 9_999).unwrap() == expected, "{turn}");
    }
}

fn upgrades_nothing_for_a_command_that_changes_nothing(desk: &Desk) {
    let database = desk.room.database(1);
    let version = || store::schema(&database).unwrap().0;
    let newest = version();
    with_ann(desk);
    desk.room.set_schema(10);
    if database.file().is_none() {
        // Older servers may be running on it.
        for opened in [store::open_beside(&database), store::open_for_copy(&database)] {
            let Err(Error::Broken(text)) = opened else { panic!("it was opened") };
            assert!(text.contains("vestibule migrate"), "{text}");
        }
        assert_eq!(version(), 10);
        return;
    }
    let store = store::open_beside(&database).unwrap();
    assert_eq!(store.user_by_name("ann"), Ok(Some(user("ann"))));
    assert_eq!(store.delete_user(&user("eve").id, Some(LATER), None), Ok(false));
    let again = User { id: UserId::new("another".to_owned()), ..user("ann") };
    assert_eq!(store.add_user(&again, &[]), Ok(UserAdded::NameTaken));
    assert_eq!(version(), 10);
    assert_eq!(store.add_user(&user("eve"), &[]), Ok(UserAdded::Done));
    assert_eq!(version(), newest);
    assert_eq!(store.user_by_name("eve"), Ok(Some(user("eve"))));
    assert_eq!(desk.store.user_by_name("eve"), Ok(Some(user("eve"))));
}

fn counts_what_there_is(desk: &Desk) {
    let live = with_ann(desk);
    desk.store.add_user(&user("bob"), &[]).unwrap();
    desk.store.add_access_token(&access_token("ann", 5), &live.id, 9, None).unwrap();
    desk.store.add_user(&user("eve"), &[]).unwrap();
    desk.store.delete_user(&user("eve").id, Some(TODAY), None).unwrap();
    let counts = vec![
        ("users", 2),
        ("keys", 1),
        ("sessions", 1),
        ("access_tokens", 1),
        ("resting_names", 1),
        ("second_factors", 0),
        ("passkeys", 0),
    ];
    assert_eq!(desk.store.counts(), Ok(counts));
    assert_eq!(desk.store.probe(), Ok(()));
}

fn gives_a_renewal_up_soon_that_would_hold_a_page_up(desk: &Desk) {
    let live = with_ann(desk);
    let at = Moment::from_millis;
    let token = access_token("ann", 50);
    desk.store.add_access_token(&token, &live.id, 9, None).unwrap();
    let mut other = desk.raw();
    other.run("BEGIN");
    other.run("UPDATE user_session SET seen_at = seen_at");
    other.run("UPDATE access_token SET used_at = used_at");
    let began = Instant::now();
    let is_unavailable = |done| matches!(done, Err(Error::Unavailable(_)));
    assert!(is_unavailable(desk.store.renew_session(&live.id, at(2), at(3), at(2))));
    assert!(is_unavailable(desk.store.touch_session(&live.id, at(2))));
    assert!(is_unavailable(desk.store.touch_access_token(&token.id, at(2))));
    let waited = began.elapsed();
    other.run("ROLLBACK");
    assert_eq!(desk.store.renew_session(&live.id, at(2), at(3), at(2)), Ok(true));
    assert!(waited < Duration::from_secs(1), "three of them took {waited:?}");
}

/// All rows, with the table of each, in the order in which they are shown.
fn rows(store: &dyn Store) -> Vec<store::Row> {
    let mut all = Vec::new();
    let mut keep = |row| {
        all.push(row);
        Ok(())
    };
    store.each_row(&mut keep).unwrap();
    all
}

fn copies_every_row_as_it_is_into_another_database(desk: &Desk) {
    let store = &*desk.store;
    for (n, text) in texts().iter().enumerate() {
        let name = format!("{n}{text}");
        let live = session(&name, [-1, 2, i64::MAX]);
        let id = CountId::new([u8::try_from(n).unwrap(); 16]);
        let device = Device {
            id: live.id,
            user_id: user(&name).id,
            last_used_at: user("").created_at,
            second_at: Moment::NEVER,
        };
        let entry = SessionStart { device: Some(device), ..SessionStart::default() };
        let done = store.sign_up(&user(&name), &key(&name), Some(&live), None, &entry);
        assert_eq!(done, Ok(SignedUp::Done));
        store.set_password(&user(&name).id, Some(&hash(text))).unwrap();
        let live = session(&name, [-1, 2, i64::MAX]);
        store.start_session(&live, MANY, &entry).unwrap();
        let token = AccessToken { name: text.clone(), ..access_token(&name, 50) };
        store.add_access_token(&token, &live.id, 9, None).unwrap();
        store.add_one_time_token(&reset_link(&name, 50)).unwrap();
        store.add_invite(&Invite { note: text.clone(), ..invite(u32::MAX, 50) }).unwrap();
        let count = Count { failures: 1, last_at: token.created_at, until: token.expires_at };
        store.change_counts(&[id], &|_, _| count, MANY).unwrap();
        store.add_records(&[record(1, text)]).unwrap();
    }
    for (name, id) in [("gone", user("gone").id), ("renamed", user("renamed").id)] {
        assert_eq!(store.add_user(&user(name), &[]), Ok(UserAdded::Done));
        store.rename_user(&id, "X", &format!("not {name}"), Some(LATER), TODAY).unwrap();
    }
    assert_eq!(store.delete_user(&user("gone").id, Some(LATER), None), Ok(true));
    let all = rows(store);
    assert_eq!(all.len(), 2 + 9 * texts().len() + 4);
    let room = desk.room.another();
    let other = store::open_for_copy(&room.database(0)).unwrap();
    other.begin_copy().unwrap();
    assert!(store::open(&room.database(1)).is_err(), "a half of it");
    all.chunks(7).for_each(|some| other.add_rows(some).unwrap());
    other.end_copy(&[]).unwrap();
    drop(other);
    let other = store::open(&room.database(1)).unwrap();
    assert!(rows(&*other) == all);
    assert_eq!(other.rows(), store.rows());
    assert_eq!(other.handle_key(), store.handle_key());
    for (name, is_free) in [("gone", false), ("renamed", false), ("not gone", false), ("n", true)] {
        assert_eq!(other.is_name_free(name, LATER), Ok(is_free), "{name}");
    }
    other.add_records(&[record(2, "goes on")]).unwrap();
    let since = RecordFilter::since(Moment::from_millis(2));
    let records = other.records_after(&since, 0, 9).unwrap();
    assert_eq!(records.len(), 1);
    assert!(
        records[0].number > i64::try_from(texts().len()).unwrap(),
        "a number that was given out"
    );
}
