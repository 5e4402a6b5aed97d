//! Which texts there are, and the English ones. Scripts get their titles, whatever language they prefer.

use super::{MailText, Message, Template, Unit, told};

/// The texts of one language.
#[expect(missing_docs, reason = "a field is named after its English words")]
#[derive(Debug)]
pub struct Text {
    /// The language tag (RFC 5646), as in `en`.
    pub code: &'static str,

    // The ways in and out.
    pub sign_up: &'static str,
    pub sign_in: &'static str,
    pub sign_out: &'static str,
    pub been_here: &'static str,
    pub new_here: &'static str,
    pub create_account: &'static str,
    pub username: &'static str,
    pub password: &'static str,
    pub sign_in_to_go_on_to: Template,
    pub sign_up_to_go_on_to: Template,
    pub stay_signed_in: &'static str,
    pub forgot_password: &'static str,
    pub profile: &'static str,
    pub user_id_is: &'static str,
    pub username_is: &'static str,
    pub back: &'static str,
    pub back_to: Template,

    // The account.
    pub account: &'static str,
    pub signed_in_as: &'static str,
    pub current_password: &'static str,
    pub new_password: &'static str,
    pub change_password: &'static str,
    pub others_end: &'static str,
    pub others_and_tokens_end: &'static str,
    pub sessions: &'static str,
    pub see_sessions: &'static str,
    pub access_tokens: &'static str,
    pub see_tokens: &'static str,
    pub delete_account: &'static str,
    pub delete_advice: &'static str,

    // Setting a password by a link.
    pub reset_for: &'static str,
    pub set_password: &'static str,
    pub reset_advice: &'static str,

    // A forgotten password.
    pub forgot_your_password: &'static str,
    pub forgot_advice: &'static str,
    pub name_or_address: &'static str,
    pub send_link: &'static str,
    pub mail_may_come: Message,
    pub reset_mail: MailText,

    // The address of an account.
    pub email: &'static str,
    pub see_email: &'static str,
    pub no_email: &'static str,
    pub is_verified: &'static str,
    pub is_not_verified: &'static str,
    pub new_email: &'static str,
    pub email_advice: &'static str,
    pub email_is_verified: &'static str,
    pub email_is_optional: &'static str,
    pub link_is_mailed: Message,
    pub sign_in_to_verify: &'static str,
    pub remove_email: &'static str,
    pub is_it_yours: &'static str,
    pub it_is_mine: &'static str,
    pub mail_facts: &'static str,
    pub verify_mail: MailText,
    pub email_asked_mail: MailText,
    pub email_changed_mail: MailText,
    pub password_changed_mail: MailText,
    pub new_browser_mail: MailText,
    pub token_created_mail: MailText,
    pub second_factor_on_mail: MailText,
    pub second_factor_off_mail: MailText,
    pub recovery_code_used_mail: MailText,
    pub password_known_mail: MailText,
    pub passkey_added_mail: MailText,
    pub passkey_removed_mail: MailText,
    pub passkey_cloned_mail: MailText,
    pub account_deleted_mail: MailText,

    // The second factor.
    pub second_factor: &'static str,
    pub enter_code: &'static str,
    pub app_code: &'static str,
    pub code_advice: &'static str,
    pub use_recovery_code: &'static str,
    pub recovery_code: &'static str,
    pub recovery_code_advice: &'static str,
    pub use_app: &'static str,
    pub start_again: &'static str,
    pub remember_browser: &'static str,
    pub see_second_factor: &'static str,
    pub set_up_advice: &'static str,
    pub set_up_is_due: &'static str,
    pub qr_code: &'static str,
    pub or_enter_secret: &'static str,
    pub open_in_app: &'static str,
    pub turn_on: &'static str,
    pub turned_on_at: &'static str,
    pub codes_left: &'static str,
    pub recovery_codes: &'static str,
    pub recovery_codes_advice: &'static str,
    pub new_codes_advice: &'static str,
    pub new_recovery_codes: &'static str,
    pub code_of_either_kind: &'static str,
    pub remembered_browsers: &'static str,
    pub forget_browsers: &'static str,
    pub turn_off: &'static str,

    // Passkeys.
    pub passkey: &'static str,
    pub passkeys: &'static str,
    pub see_passkeys: &'static str,
    pub sign_in_with_passkey: &'static str,
    pub use_passkey: &'static str,
    pub turn_on_with_passkey: &'static str,
    pub passkey_as_factor: &'static str,
    pub passkeys_advice: &'static str,
    pub passkeys_need_script: &'static str,
    pub add_passkey: &'static str,
    pub second_factor_only: &'static str,
    pub second_factor_only_advice: &'static str,
    pub add_second_factor_only: &'static str,
    pub signs_in_alone: &'static str,
    pub added_at: &'static str,
    pub new_name: &'static str,
    pub rename: &'static str,
    pub remove: &'static str,
    pub the_passkey_added: &'static str,
    pub the_passkey_renamed: &'static str,
    pub the_passkey_removed: &'static str,
    pub passkey_added: &'static str,
    pub passkey_removed: &'static str,
    pub passkey_not_accepted: &'static str,
    pub made_for: Template,

    // Sessions.
    pub unknown_browser: &'static str,
    pub on_system: &'static str,
    pub this_browser: &'static str,
    pub signed_in_at: &'static str,
    pub from_address: &'static str,
    pub last_seen: &'static str,
    pub your_password: &'static str,
    pub end: &'static str,
    pub end_others: &'static str,

    // Reauthentication.
    pub confirm_identity: &'static str,
    pub go_on: &'static str,

    // Access tokens.
    pub tokens_advice: &'static str,
    pub your_new_token: &'static str,
    pub shown_once: &'static str,
    pub name: &'static str,
    pub expires_in: &'static str,
    pub thirty_days: &'static str,
    pub ninety_days: &'static str,
    pub a_year: &'static str,
    pub create_token: &'static str,
    pub back_to_tokens: &'static str,
    pub created_at: &'static str,
    pub expires_at: Template,
    pub expired_at: &'static str,
    pub last_used: &'static str,
    pub never_used: &'static str,
    pub revoke: &'static str,

    // Activity.
    pub activity: &'static str,
    pub see_activity: &'static str,
    pub no_activity: &'static str,
    pub account_created: &'static str,
    pub did_sign_in: &'static str,
    pub sign_in_failed: &'static str,
    pub was_throttled: &'static str,
    pub did_sign_out: &'static str,
    pub session_ended: &'static str,
    pub password_confirmed: &'static str,
    pub password_not_confirmed: &'static str,
    pub password_changed: &'static str,
    pub password_not_changed: &'static str,
    pub password_reset: &'static str,
    pub email_asked: &'static str,
    pub email_verified: &'static str,
    pub email_removed: &'static str,
    pub account_not_deleted: &'static str,
    pub token_created: &'static str,
    pub token_revoked: &'static str,
    pub account_created_for: &'static str,
    pub password_set_for: &'static str,
    pub renamed: &'static str,
    pub unlocked: &'static str,
    pub groups_set: &'static str,
    pub email_set: &'static str,
    pub disabled: &'static str,
    pub enabled: &'static str,
    pub key_added: &'static str,
    pub key_removed: &'static str,
    pub reset_link_created: &'static str,
    pub second_factor_turned_on: &'static str,
    pub second_factor_turned_off: &'static str,
    pub recovery_codes_created: &'static str,
    pub browsers_forgotten: &'static str,
    pub code_asked_for: &'static str,
    pub code_refused: &'static str,

    // On the host of an app.
    pub no_access_to: Template,
    pub open_to_group: Template,
    pub open_to_groups: Template,
    pub ask_administrator: &'static str,
    pub with_another_account: &'static str,
    pub set_second_factor_up: &'static str,
    pub two_cookies_sent: &'static str,
    pub clear_cookies_and: Template,
    pub sign_in_again: &'static str,

    // What an action has done.
    pub you_signed_out: &'static str,
    pub your_password_changed: &'static str,
    pub your_password_set: &'static str,
    pub your_account_deleted: &'static str,
    pub the_session_ended: &'static str,
    pub other_sessions_ended: &'static str,
    pub link_is_sent: &'static str,
    pub your_email_verified: &'static str,
    pub your_email_removed: &'static str,
    pub second_factor_is_off: &'static str,
    pub browsers_are_forgotten: &'static str,
    pub the_token_revoked: &'static str,

    // Spans of time.
    pub seconds: Unit,
    pub minutes: Unit,
    pub hours: Unit,
    pub days: Unit,
    pub months: Unit,
    pub years: Unit,
    /// Whether so many are said in the singular.
    pub is_one: fn(u64) -> bool,
    pub try_again: &'static str,
    pub try_again_in: Template,
    pub ago: Template,
    pub in_future: Template,
    pub just_now: &'static str,

    // The parts of a long list.
    pub of_all: &'static str,
    pub previous_page: &'static str,
    pub next_page: &'static str,

    // Why a form comes back.
    pub bad_username: Message,
    pub bad_username_at_sign_in: Message,
    pub bad_address_as_name: Message,
    pub name_taken: Message,
    pub address_as_name_taken: Message,
    pub bad_password: Message,
    pub short_password_of_minimal: Message,
    pub short_password_of_standard: Message,
    pub short_password_of_nist: Message,
    pub long_password: Message,
    pub common_password: Message,
    pub password_is_name: Message,
    pub incorrect_credentials: Message,
    pub verify_first: Message,
    pub incorrect_password: Message,
    pub password_required: Message,
    pub too_many_attempts: Message,
    pub bad_email: Message,
    pub second_factor_required: Message,
    pub bad_code: Message,
    pub incorrect_code: Message,
    pub enrolment_too_old: Message,
    pub second_factor_on: Message,
    pub second_factor_off: Message,
    pub second_factor_needed: Message,
    pub passkey_failed: Message,
    pub passkey_refused: Message,
    pub too_many_passkeys: Message,
    pub last_factor: Message,
    pub no_passkey: Message,
    pub bad_display_name: Message,
    pub bad_token_life: Message,
    pub too_many_tokens: Message,

    // Instead of a page.
    pub foreign: Message,
    pub unauthorized: Message,
    pub signed_out: Message,
    pub closed: Message,
    pub second_factor_missing: Message,
    pub two_cookies: Message,
    pub sign_up_closed: Message,
    pub sign_up_by_invitation: Message,
    pub bad_invite: Message,
    pub bad_link: Message,
    pub not_found: Message,
    pub no_session: Message,
    pub no_token: Message,
    pub not_allowed: Message,
    pub unsupported: Message,
    pub invalid_json: Message,
    pub too_many_fields: Message,
    pub malformed: Message,
    pub too_slow: Message,
    pub too_large: Message,
    pub target_too_long: Message,
    pub expectation: Message,
    pub head_too_large: Message,
    pub version: Message,
    pub unknown_error: Message,
    pub busy: Message,
}

/// English. The titles of messages are fixed by the contract.
pub static EN: Text = Text {
    code: "en",

    sign_up: "Sign up",
    sign_in: "Sign in",
    sign_out: "Sign out",
    been_here: "Already have an account?",
    new_here: "New here?",
    create_account: "Create an account",
    username: "Username",
    password: "Password",
    sign_in_to_go_on_to: Template("Sign in to continue to ", "."),
    sign_up_to_go_on_to: Template("Sign up to continue to ", "."),
    stay_signed_in: "Stay signed in",
    forgot_password: "Forgot your password? The administrator of this site can give you a link to set a new one.",
    profile: "Profile",
    user_id_is: "User id: ",
    username_is: "Username: ",
    back: "Back to the home page",
    back_to: Template("Back to ", ""),

    account: "Account",
    signed_in_as: "Signed in as ",
    current_password: "Current password",
    new_password: "New password",
    change_password: "Change password",
    others_end: "All your other browsers will be signed out.",
    others_and_tokens_end: "All your other browsers will be signed out, and your access tokens revoked.",
    sessions: "Sessions",
    see_sessions: "See where you are signed in",
    access_tokens: "Access tokens",
    see_tokens: "Give scripts access to the apps behind this sign-in",
    delete_account: "Delete account",
    delete_advice: "This deletes your account and signs you out everywhere. It cannot be undone.",

    reset_for: "Account: ",
    set_password: "Set password",
    reset_advice: "You will be signed out everywhere. Then sign in with the new password.",

    forgot_your_password: "Forgot your password?",
    forgot_advice: "A link that sets a new password is mailed to the address of your account.",
    name_or_address: "Username or e-mail address",
    send_link: "Send the link",
    mail_may_come: told(
        "If there is such an account with a verified address, a mail is on its way",
        "It may take a few minutes. Look among the spam as well.",
    ),
    reset_mail: MailText {
        subject: "Set a new password",
        body: "Someone, probably you, has asked for a new password for the account\n\
               {name} at {site}.\n\
               \n\
               This link sets one. It works once, within an hour:\n\
               \n\
               {link}\n\
               \n\
               If it was not you, there is nothing to do: your password stays as it is, and\n\
               asking for a link gives nobody access.\n",
    },

    email: "E-mail address",
    see_email: "Add, change or remove your address",
    no_email: "There is no e-mail address yet.",
    is_verified: "verified",
    is_not_verified: "not verified",
    new_email: "New e-mail address",
    email_advice: "A link is sent there. The address counts once you have used the link; until then, the one before stays.",
    email_is_verified: "A link that verifies it is sent there.",
    email_is_optional: "Optional. A link that verifies it is sent there.",
    link_is_mailed: told(
        "A link was mailed to you",
        "Open it within an hour and sign in: this verifies your e-mail address. Look among the spam as well.",
    ),
    sign_in_to_verify: "Sign in to verify your e-mail address.",
    remove_email: "Remove the address",
    is_it_yours: "Is this your address?",
    it_is_mine: "Yes, it is mine",
    mail_facts: "Account:  {name} at {site}\n\
                 Time:     {moment}\n\
                 Browser:  {browser}\n\
                 Address:  {address}",
    verify_mail: MailText {
        subject: "Is this your address?",
        body: "Someone, probably you, has entered this address for the account\n\
               {name} at {site}.\n\
               \n\
               If it is your account, open this link within an hour, and sign in if you are\n\
               asked to:\n\
               \n\
               {link}\n\
               \n\
               If it is not, there is nothing to do: without you, the address does not count.\n",
    },
    email_asked_mail: MailText {
        subject: "A new e-mail address was entered for your account",
        body: "A new e-mail address was entered for your account. This one stays until the\n\
               new one is verified.\n\
               \n\
               {facts}\n\
               \n\
               If it was not you, someone else has your password. Change it now: that ends\n\
               all other sessions, and the link to the new address.\n",
    },
    email_changed_mail: MailText {
        subject: "Your e-mail address was changed",
        body: "The e-mail address of your account was changed or removed. Mail about the\n\
               account does not come here any more.\n\
               \n\
               {facts}\n\
               \n\
               If it was not you, please tell the administrator of the site at once.\n",
    },
    password_changed_mail: MailText {
        subject: "Your password was changed",
        body: "The password of your account was changed. All other sessions have ended.\n\
               \n\
               {facts}\n\
               \n\
               If it was not you, set a new one at once: the sign-in page leads to a form\n\
               that mails you a link.\n",
    },
    new_browser_mail: MailText {
        subject: "New sign-in",
        body: "Your account was signed in to from a browser that was not used for it before.\n\
               \n\
               {facts}\n\
               \n\
               If it was not you, someone else has your password. Change it now: that ends\n\
               all other sessions.\n",
    },
    token_created_mail: MailText {
        subject: "An access token was created",
        body: "An access token was created for your account. It lets scripts use apps in your\n\
               name.\n\
               \n\
               {facts}\n\
               \n\
               If it was not you, change your password now: that ends all access tokens.\n",
    },
    second_factor_on_mail: MailText {
        subject: "The second factor was turned on",
        body: "Signing in to your account now takes a second factor as well as the\n\
               password. All other browsers were signed out.\n\
               \n\
               {facts}\n\
               \n\
               If it was not you, please tell the administrator of the site at once.\n",
    },
    second_factor_off_mail: MailText {
        subject: "The second factor was turned off",
        body: "Signing in to your account now takes the password alone.\n\
               Passkeys that were a second factor only were removed.\n\
               \n\
               {facts}\n\
               \n\
               If it was not you, change your password now and turn the second factor on\n\
               again.\n",
    },
    recovery_code_used_mail: MailText {
        subject: "A recovery code was used",
        body: "Your account was signed in to with a recovery code in place of the second\n\
               factor. That code is used up.\n\
               \n\
               {facts}\n\
               \n\
               If it was not you, change your password now and make new recovery codes.\n",
    },
    password_known_mail: MailText {
        subject: "Someone knows your password",
        body: "Someone gave your password several times, and each time a wrong code. They\n\
               were not let in.\n\
               \n\
               {facts}\n\
               \n\
               If it was not you, change your password now.\n",
    },
    passkey_added_mail: MailText {
        subject: "A passkey was added",
        body: "A passkey was added to your account. It can be used to sign in.\n\
               \n\
               {facts}\n\
               \n\
               If it was not you, remove it on your account page and change your password\n\
               now.\n",
    },
    passkey_removed_mail: MailText {
        subject: "A passkey was removed",
        body: "A passkey was removed from your account. It cannot be used to sign in any\n\
               more.\n\
               \n\
               {facts}\n\
               \n\
               If it was not you, change your password now.\n",
    },
    passkey_cloned_mail: MailText {
        subject: "A passkey was refused",
        body: "A passkey of your account was refused: it has counted fewer uses than it\n\
               should have, so there may be a copy of it.\n\
               \n\
               {facts}\n\
               \n\
               Remove this passkey on your account page and add another one.\n",
    },
    account_deleted_mail: MailText {
        subject: "Your account was deleted",
        body: "Your account was deleted with all that was stored about you.\n\
               \n\
               {facts}\n\
               \n\
               If it was not you, please tell the administrator of the site at once.\n",
    },

    second_factor: "Second factor",
    enter_code: "Enter your code",
    app_code: "Code from the app",
    code_advice: "Six digits from the app on your phone.",
    use_recovery_code: "Use a recovery code instead",
    recovery_code: "Recovery code",
    recovery_code_advice: "One of the codes that you noted when you turned the second factor on. Each works once.",
    use_app: "Use a code from the app instead",
    start_again: "Start again",
    remember_browser: "Do not ask for a code in this browser for a while",
    see_second_factor: "Set up a second factor, or change it",
    set_up_advice: "An app on your phone shows codes, one of which is asked for after the password. Scan this picture with the app.",
    set_up_is_due: "This site asks for a second factor. Please set one up to sign in.",
    qr_code: "QR code for the app",
    or_enter_secret: "Or enter this secret in the app:",
    open_in_app: "Open in an app on this device",
    turn_on: "Turn on",
    turned_on_at: "Turned on ",
    codes_left: "Recovery codes left: ",
    recovery_codes: "Recovery codes",
    recovery_codes_advice: "Each of them signs you in once if you do not have your second factor. They are shown only once. Please write them down now.",
    new_codes_advice: "New codes replace those you have.",
    new_recovery_codes: "Create new recovery codes",
    code_of_either_kind: "Code from the app, or recovery code",
    remembered_browsers: "Remembered browsers",
    forget_browsers: "Ask for a code in every browser",
    turn_off: "Turn off",

    passkey: "Passkey",
    passkeys: "Passkeys",
    see_passkeys: "Sign in with a phone, a computer or a security key",
    sign_in_with_passkey: "Sign in with a passkey",
    use_passkey: "Use a passkey",
    turn_on_with_passkey: "Turn on with a passkey",
    passkey_as_factor: "Your passkey can be the second factor, with an app or without one.",
    passkeys_advice: "A passkey is kept in a phone, a computer, a password manager or a security key, and signs you in without a password.",
    passkeys_need_script: "Adding a passkey needs a script, which this browser does not run.",
    add_passkey: "Add a passkey",
    second_factor_only: "Second factor only",
    second_factor_only_advice: "For a security key without a PIN or a fingerprint: it is used after the password, while your second factor is turned on.",
    add_second_factor_only: "Add a security key",
    signs_in_alone: "Signs in without a password",
    added_at: "Added ",
    new_name: "New name",
    rename: "Rename",
    remove: "Remove",
    the_passkey_added: "The passkey was added.",
    the_passkey_renamed: "The passkey was renamed.",
    the_passkey_removed: "The passkey was removed.",
    passkey_added: "Passkey added",
    passkey_removed: "Passkey removed",
    passkey_not_accepted: "Passkey not accepted",
    made_for: Template("Made for ", ""),

    unknown_browser: "Unknown browser",
    on_system: " on ",
    this_browser: "This browser",
    signed_in_at: "Signed in ",
    from_address: " from\u{a0}",
    last_seen: "Last seen ",
    your_password: "Your password",
    end: "End",
    end_others: "End all other sessions",

    confirm_identity: "Confirm it is you",
    go_on: "Continue",

    tokens_advice: "For scripts and apps that cannot show a sign-in page. They give access to the apps \
                    behind this sign-in, and not to this site. A new password revokes them all.",
    your_new_token: "Your new access token",
    shown_once: "It is shown only once. Please copy it now.",
    name: "Name",
    expires_in: "Expires in",
    thirty_days: "30 days",
    ninety_days: "90 days",
    a_year: "1 year",
    create_token: "Create an access token",
    back_to_tokens: "Back to the access tokens",
    created_at: "Created ",
    expires_at: Template("Expires ", ""),
    expired_at: "Expired ",
    last_used: "Last used ",
    never_used: ", never used",
    revoke: "Revoke",

    activity: "Activity",
    see_activity: "See what was done with this account",
    no_activity: "Nothing has been recorded yet.",
    account_created: "Account created",
    did_sign_in: "Signed in",
    sign_in_failed: "Sign-in failed",
    was_throttled: "Refused after too many attempts",
    did_sign_out: "Signed out",
    session_ended: "Session ended",
    password_confirmed: "Password confirmed",
    password_not_confirmed: "Password confirmation failed",
    password_changed: "Password changed",
    password_not_changed: "Password change failed",
    password_reset: "Password set by a reset link",
    email_asked: "Link to an e-mail address asked for",
    email_verified: "E-mail address verified",
    email_removed: "E-mail address removed",
    account_not_deleted: "Account deletion failed",
    token_created: "Access token created",
    token_revoked: "Access token revoked",
    account_created_for: "Account created by the administrator",
    password_set_for: "Password set by the administrator",
    renamed: "Renamed by the administrator",
    unlocked: "Unlocked by the administrator",
    groups_set: "Groups changed by the administrator",
    email_set: "E-mail address changed by the administrator",
    disabled: "Disabled by the administrator",
    enabled: "Enabled by the administrator",
    key_added: "Sign-in name added by the administrator",
    key_removed: "Sign-in name removed by the administrator",
    reset_link_created: "Reset link created by the administrator",
    second_factor_turned_on: "Second factor turned on",
    second_factor_turned_off: "Second factor turned off",
    recovery_codes_created: "Recovery codes created",
    browsers_forgotten: "Remembered browsers forgotten",
    code_asked_for: "Password accepted, code asked for",
    code_refused: "Code refused",

    no_access_to: Template("This account does not have access to ", "."),
    open_to_group: Template("Members of the group ", " have access."),
    open_to_groups: Template("Members of one of these groups have access: ", "."),
    ask_administrator: "Please ask the administrator of this site.",
    with_another_account: "Sign in with another account",
    set_second_factor_up: "Set up a second factor",
    two_cookies_sent: "Your browser sent two session cookies, and only one of them can be yours.",
    clear_cookies_and: Template("Please clear the cookies of this site and ", "."),
    sign_in_again: "sign in again",

    you_signed_out: "You are signed out.",
    your_password_changed: "Your password was changed. All your other sessions have ended.",
    your_password_set: "Your password was set. Please sign in with it.",
    your_account_deleted: "Your account was deleted.",
    the_session_ended: "The session was ended.",
    other_sessions_ended: "All your other sessions were ended.",
    link_is_sent: "A link is on its way to the new address. Look among the spam as well.",
    your_email_verified: "Your e-mail address is verified.",
    your_email_removed: "Your e-mail address was removed.",
    second_factor_is_off: "The second factor is off. The password is enough again.",
    browsers_are_forgotten: "A code is asked for in every browser again.",
    the_token_revoked: "The access token was revoked.",

    seconds: Unit("second", "seconds"),
    minutes: Unit("minute", "minutes"),
    hours: Unit("hour", "hours"),
    days: Unit("day", "days"),
    months: Unit("month", "months"),
    years: Unit("year", "years"),
    is_one: |count| count == 1,
    try_again: "Try again",
    try_again_in: Template("Please try again in ", "."),
    ago: Template("", " ago"),
    in_future: Template("in ", ""),
    just_now: "just now",

    of_all: " of ",
    previous_page: "Previous page",
    next_page: "Next page",

    bad_username: told("Invalid username", "4 to 31 visible characters."),
    bad_username_at_sign_in: told("Invalid username", "Usernames have 1 to 31 characters."),
    bad_address_as_name: told("Invalid username", "An e-mail address, as in name@example.com."),
    name_taken: told("Username already taken", "Please choose another."),
    address_as_name_taken: told("Username already taken", "If the account is yours, sign in."),
    bad_password: told("Invalid password", "Passwords have 1 to 255 characters."),
    short_password_of_minimal: told("Invalid password", "At least 6 characters."),
    short_password_of_standard: told(
        "Invalid password",
        "At least 8 characters. Three unrelated words make a good one.",
    ),
    short_password_of_nist: told(
        "Invalid password",
        "At least 15 characters. Three unrelated words make a good one.",
    ),
    long_password: told("Invalid password", "At most 255 characters."),
    common_password: told(
        "Invalid password",
        "This password is too common: such passwords are guessed first.",
    ),
    password_is_name: told(
        "Invalid password",
        "Usernames are guessed first. Please choose something else.",
    ),
    incorrect_credentials: told(
        "Incorrect username or password",
        "Please check both and try again.",
    ),
    verify_first: told(
        "Your e-mail address is not verified",
        "A link was mailed to it. Open it within an hour and sign in there.",
    ),
    incorrect_password: told("Incorrect password", "Please check it and try again."),
    password_required: told("Password required", "To continue, please enter your password again."),
    too_many_attempts: told("Too many attempts", "Please wait a while and try again."),
    bad_email: told("Invalid e-mail address", "Please write it as in name@example.com."),
    second_factor_required: told(
        "A second factor is required",
        "Send a code as well, to /login/second or with the password.",
    ),
    bad_code: told(
        "Invalid code",
        "A code from the app has six digits, and a recovery code 24 letters and digits.",
    ),
    incorrect_code: told("Incorrect code", "Each code works once. Please wait for the next one."),
    enrolment_too_old: told("This set-up is too old", "Please scan the new picture."),
    second_factor_on: told("The second factor is on", "It was turned on before."),
    second_factor_off: told("The second factor is off", "Please turn it on first."),
    second_factor_needed: told("A second factor is required here", "It cannot be turned off."),
    passkey_failed: told("No passkey was used", "Please try again."),
    passkey_refused: told("Passkey not accepted", "Please try again."),
    too_many_passkeys: told("Too many passkeys", "Please remove one that you no longer need."),
    last_factor: told(
        "This is your last second factor",
        "Turn the second factor off first, or add another one.",
    ),
    no_passkey: told("Passkey not found", "It may have been removed already."),
    bad_display_name: told("Invalid name", "1 to 60 characters, by which you can recognise it."),
    bad_token_life: told("Invalid expiry", "Please choose 1 to 366 days."),
    too_many_tokens: told("Too many access tokens", "Please revoke one that you no longer need."),

    foreign: told(
        "Forbidden",
        "This request came from another site, so nothing was changed. Please use the pages of this site.",
    ),
    unauthorized: told("Unauthorized", "You are not signed in, or your session has ended."),
    signed_out: told("Signed out", "The session had ended already; this browser is signed out."),
    closed: told("Forbidden", "You do not have access to this."),
    second_factor_missing: told(
        "A second factor is needed",
        "This is open only to users who sign in with a second factor.",
    ),
    two_cookies: told(
        "Forbidden",
        "Your browser sent two session cookies. Please clear the cookies of this site.",
    ),
    sign_up_closed: told(
        "Sign-up is closed",
        "Accounts are created by the administrator of this site. Please ask them for one.",
    ),
    sign_up_by_invitation: told(
        "Sign-up is by invitation",
        "You need an invitation link. Please ask the administrator of this site for one.",
    ),
    bad_invite: told(
        "This invitation is not valid any more",
        "It may have been used already, or it has expired. Please ask for a new one.",
    ),
    bad_link: told(
        "This link is not valid any more",
        "It may have been used already, or it is more than an hour old. Please ask for a new one.",
    ),
    not_found: told("Not found", "There is no page at this address."),
    no_session: told("Not found", "There is no such session."),
    no_token: told("Not found", "There is no such access token."),
    not_allowed: told("Method not allowed", "This page does not support that method."),
    unsupported: told(
        "Unsupported media type",
        "Please send a form (application/x-www-form-urlencoded) or a JSON object (application/json), in UTF-8 and not \
         compressed.",
    ),
    invalid_json: told(
        "Invalid JSON",
        "Please send one JSON object. Its values have to be strings, and each name may occur once.",
    ),
    too_many_fields: told("Request too large", "Please send fewer fields."),
    malformed: told("Bad request", "The request could not be understood."),
    too_slow: told("Request timeout", "The request took too long to arrive. Please try again."),
    too_large: told("Request too large", "Please send less data."),
    target_too_long: told("Address too long", "Please check the address."),
    expectation: told(
        "Expectation failed",
        "Please send the request without an Expect header field.",
    ),
    head_too_large: told("Request header fields too large", "Please clear this site's cookies."),
    version: told("HTTP version not supported", "This server speaks HTTP/1.1."),
    unknown_error: told(
        "An unknown error occurred",
        "Something went wrong on our side, and it has been logged. Please try again later.",
    ),
    busy: told("Busy", "The server is busy. Please try again in a moment."),
};
