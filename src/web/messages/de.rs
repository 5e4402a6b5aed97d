//! The German texts.

use super::{Around, Text, told};

/// German, which avoids both `Sie` and `du`.
pub static DE: Text = Text {
    code: "de",

    sign_up: "Konto anlegen",
    sign_in: "Anmelden",
    sign_out: "Abmelden",
    been_here: "Schon einmal hier gewesen?",
    new_here: "Neu hier?",
    create_account: "Konto anlegen",
    username: "Benutzername",
    password: "Passwort",
    stay_signed_in: "Angemeldet bleiben",
    profile: "Profil",
    user_id_is: "Benutzer-ID: ",
    username_is: "Benutzername: ",
    back: "Zurück zur Startseite",

    account: "Konto",
    signed_in_as: "Angemeldet als ",
    current_password: "Bisheriges Passwort",
    new_password: "Neues Passwort",
    change_password: "Passwort ändern",
    others_end: "Alle anderen Browser werden abgemeldet.",
    others_and_tokens_end: "Alle anderen Browser werden abgemeldet, und Zugriffstoken enden.",
    sessions: "Sitzungen",
    see_sessions: "Sehen, wo dieses Konto angemeldet ist",
    access_tokens: "Zugriffstoken",
    see_tokens: "Skripten Zugang zu den Apps hinter dieser Anmeldung geben",
    delete_account: "Konto löschen",
    delete_advice: "Name, Passwort und alle Sitzungen verschwinden sofort und endgültig.",

    reset_for: "Für ",
    set_password: "Passwort setzen",
    reset_advice: "Danach ist das Konto überall abgemeldet; mit dem neuen Passwort ist die Anmeldung wieder möglich.",

    unknown_browser: "Unbekannter Browser",
    on_system: " unter ",
    this_browser: "dieser hier",
    signed_in_at: "Angemeldet ",
    from_address: " von ",
    last_seen: "Zuletzt gesehen ",
    your_password: "Passwort zur Bestätigung",
    end: "Beenden",
    end_session_of: Around("Sitzung von ", " beenden"),
    end_others: "Alle anderen beenden",

    tokens_advice: "Für Skripte und Apps, die keine Anmeldeseite zeigen können. Sie öffnen die Apps hinter \
                    dieser Anmeldung und nichts auf diesen Seiten; ein neues Passwort beendet alle.",
    your_new_token: "Das neue Zugriffstoken",
    shown_once: "Es wird nur dieses eine Mal gezeigt. Bitte jetzt kopieren.",
    name: "Bezeichnung",
    expires_in: "Gültig für",
    thirty_days: "30 Tage",
    ninety_days: "90 Tage",
    a_year: "ein Jahr",
    create_token: "Zugriffstoken anlegen",
    expired: "abgelaufen",
    created_at: "Angelegt ",
    expires_at: "gültig bis ",
    expired_at: "abgelaufen ",
    last_used: "Zuletzt benutzt ",
    never_used: "Nie benutzt",
    revoke: "Widerrufen",
    revoke_it: Around("„", "“ widerrufen"),

    closed_to: Around("Angemeldet als ", ". Dieses Konto hat hier keinen Zugang."),
    with_another_account: "Mit einem anderen Konto anmelden",
    two_cookies_sent: "Der Browser schickt zwei Sitzungs-Cookies, und nur eines davon kann das richtige sein.",
    clear_cookies_and: Around("Bitte die Cookies dieser Website löschen und ", "."),
    sign_in_again: "neu anmelden",

    bad_username: told(
        "Ungültiger Benutzername",
        "4 bis 31 sichtbare Zeichen, ohne Leerzeichen am Anfang oder Ende.",
    ),
    bad_username_at_sign_in: told("Ungültiger Benutzername", "Namen haben 1 bis 31 Zeichen."),
    name_taken: told("Benutzername schon vergeben", "Bitte einen anderen wählen."),
    bad_password: told("Ungültiges Passwort", "Passwörter haben 1 bis 255 Zeichen."),
    short_password_of_seed: told("Ungültiges Passwort", "Mindestens 6 Zeichen."),
    short_password_of_standard: told(
        "Ungültiges Passwort",
        "Mindestens 8 Zeichen; gut sind drei Wörter, die nichts miteinander zu tun haben.",
    ),
    short_password_of_nist: told(
        "Ungültiges Passwort",
        "Mindestens 15 Zeichen; gut sind drei Wörter, die nichts miteinander zu tun haben.",
    ),
    long_password: told("Ungültiges Passwort", "Höchstens 255 Zeichen."),
    common_password: told(
        "Ungültiges Passwort",
        "Viele benutzen dieses, und so würde es als Erstes erraten.",
    ),
    password_is_name: told(
        "Ungültiges Passwort",
        "Ein Name würde als Erstes erraten. Bitte etwas anderes wählen.",
    ),
    incorrect_credentials: told(
        "Benutzername oder Passwort falsch",
        "Bitte beides prüfen und noch einmal versuchen.",
    ),
    incorrect_password: told("Passwort falsch", "Bitte prüfen und noch einmal versuchen."),
    password_required: told(
        "Passwort nötig",
        "Die letzte Eingabe ist eine Weile her. Bitte noch einmal eingeben.",
    ),
    too_many_attempts: told(
        "Zu viele Versuche",
        "Bitte eine Weile warten und dann noch einmal versuchen.",
    ),
    bad_token_name: told(
        "Ungültige Bezeichnung",
        "1 bis 60 Zeichen, an denen es wiederzuerkennen ist.",
    ),
    bad_token_life: told("Ungültige Dauer", "Bitte 1 bis 366 Tage."),
    too_many_tokens: told(
        "Zu viele Zugriffstoken",
        "Bitte eines widerrufen, das nicht mehr gebraucht wird.",
    ),

    foreign: told(
        "Nicht erlaubt",
        "Diese Anfrage kam von einer anderen Website; darum ist nichts geschehen. Bitte die Seiten hier \
         benutzen.",
    ),
    unauthorized: told("Nicht angemeldet", "Die Anmeldung fehlt oder gilt nicht mehr."),
    closed: told("Nicht erlaubt", "Dieses Konto hat hier keinen Zugang."),
    two_cookies: told("Nicht erlaubt", "Es gibt zwei Sitzungs-Cookies; bitte beide löschen."),
    sign_up_closed: told(
        "Keine neuen Konten",
        "Hier kann niemand selbst ein Konto anlegen. Bitte bei denen nachfragen, die den Dienst betreiben.",
    ),
    sign_up_by_invitation: told(
        "Konten nur auf Einladung",
        "Wer den Dienst betreibt, gibt auf Nachfrage einen Link, mit dem sich ein Konto anlegen lässt.",
    ),
    bad_invite: told(
        "Diese Einladung gilt nicht",
        "Vielleicht ist sie schon benutzt oder zu alt. Eine neue gibt es auf Nachfrage.",
    ),
    bad_link: told(
        "Dieser Link gilt nicht",
        "Vielleicht ist er schon benutzt oder älter als eine Stunde. Einen neuen gibt es auf Nachfrage.",
    ),
    not_found: told("Nicht gefunden", "Unter dieser Adresse ist keine Seite."),
    no_session: told("Nicht gefunden", "Diese Sitzung gibt es nicht."),
    no_token: told("Nicht gefunden", "Dieses Zugriffstoken gibt es nicht."),
    not_allowed: told("So nicht möglich", "Diese Seite lässt sich auf diese Weise nicht aufrufen."),
    unsupported: told("Unbekanntes Format", "Bitte das Formular als einfaches UTF-8 schicken."),
    too_many_fields: told("Anfrage zu groß", "Bitte weniger Felder schicken."),
    malformed: told("Fehlerhafte Anfrage", "Diese Anfrage ist nicht zu verstehen."),
    too_slow: told("Zeit abgelaufen", "Bitte noch einmal schicken."),
    too_large: told("Anfrage zu groß", "Bitte weniger schicken."),
    target_too_long: told("Adresse zu lang", "Bitte die Adresse prüfen."),
    expectation: told("Erwartung nicht erfüllbar", "Bitte die Anfrage schicken, wie sie ist."),
    head_too_large: told("Kopf der Anfrage zu groß", "Bitte die Cookies dieser Website löschen."),
    version: told("HTTP-Version nicht unterstützt", "Hier wird HTTP/1.1 gesprochen."),
    unknown_error: told(
        "Ein unbekannter Fehler ist aufgetreten",
        "Das liegt nicht an der Eingabe, und der Fehler ist vermerkt. Bitte später noch einmal versuchen.",
    ),
    busy: told(
        "Überlastet",
        "Gerade ist zu viel auf einmal los. Bitte gleich noch einmal versuchen.",
    ),
};
