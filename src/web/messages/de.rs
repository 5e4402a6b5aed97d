//! The German texts, in the order of the English ones.

use super::{MailText, Template, Text, Unit, told};

/// German, which avoids both `Sie` and `du`.
pub static DE: Text = Text {
    code: "de",

    sign_up: "Konto anlegen",
    sign_in: "Anmelden",
    sign_out: "Abmelden",
    been_here: "Schon ein Konto?",
    new_here: "Neu hier?",
    create_account: "Konto anlegen",
    username: "Benutzername",
    password: "Passwort",
    sign_in_to_go_on_to: Template("Nach der Anmeldung geht es weiter zu ", "."),
    sign_up_to_go_on_to: Template("Mit dem neuen Konto geht es weiter zu ", "."),
    stay_signed_in: "Angemeldet bleiben",
    forgot_password: "Passwort vergessen? Von der Verwaltung dieser Website gibt es auf Nachfrage einen Link, um ein neues zu setzen.",
    profile: "Profil",
    user_id_is: "Benutzer-ID: ",
    username_is: "Benutzername: ",
    back: "Zurück zur Startseite",
    back_to: Template("Zurück zu ", ""),

    account: "Konto",
    signed_in_as: "Angemeldet als ",
    current_password: "Bisheriges Passwort",
    new_password: "Neues Passwort",
    change_password: "Passwort ändern",
    others_end: "Alle anderen Browser werden abgemeldet.",
    others_and_tokens_end: "Alle anderen Browser werden abgemeldet und alle Zugriffstoken widerrufen.",
    sessions: "Sitzungen",
    see_sessions: "Sehen, wo dieses Konto angemeldet ist",
    access_tokens: "Zugriffstoken",
    see_tokens: "Skripten Zugang zu den Apps hinter dieser Anmeldung geben",
    delete_account: "Konto löschen",
    delete_advice: "Das Konto wird gelöscht und überall abgemeldet. Das lässt sich nicht rückgängig machen.",

    reset_for: "Konto: ",
    set_password: "Passwort setzen",
    reset_advice: "Danach ist das Konto überall abgemeldet. Bitte dann mit dem neuen Passwort anmelden.",

    forgot_your_password: "Passwort vergessen?",
    forgot_advice: "An die Adresse des Kontos geht ein Link, der ein neues Passwort setzt.",
    name_or_address: "Benutzername oder E-Mail-Adresse",
    send_link: "Link senden",
    mail_may_come: told(
        "Wenn es ein solches Konto mit bestätigter Adresse gibt, ist eine Mail unterwegs",
        "Das kann einige Minuten dauern. Auch im Spam-Ordner nachsehen.",
    ),
    reset_mail: MailText {
        subject: "Neues Passwort setzen",
        body: "Für das Konto {name}\n\
               bei {site} wurde ein neues Passwort angefordert.\n\
               \n\
               Dieser Link setzt eines. Er gilt einmal und eine Stunde lang:\n\
               \n\
               {link}\n\
               \n\
               Wer das nicht angefordert hat, muss nichts tun: Das Passwort bleibt, wie es\n\
               ist, und das Anfordern allein verschafft niemandem Zugang.\n",
    },

    email: "E-Mail-Adresse",
    see_email: "Die Adresse hinzufügen, ändern oder entfernen",
    no_email: "Es gibt noch keine E-Mail-Adresse.",
    is_verified: "bestätigt",
    is_not_verified: "nicht bestätigt",
    new_email: "Neue E-Mail-Adresse",
    email_advice: "Dorthin geht ein Link. Die Adresse gilt, sobald er benutzt ist; bis dahin bleibt die bisherige.",
    email_is_verified: "Ein Link, der sie bestätigt, geht dorthin.",
    email_is_optional: "Freiwillig. Ein Link, der sie bestätigt, geht dorthin.",
    link_is_mailed: told(
        "Ein Link ist per Mail unterwegs",
        "Bitte innerhalb einer Stunde öffnen und sich anmelden: Damit ist die E-Mail-Adresse bestätigt. Auch im \
         Spam-Ordner nachsehen.",
    ),
    sign_in_to_verify: "Mit der Anmeldung wird die E-Mail-Adresse bestätigt.",
    remove_email: "Adresse entfernen",
    is_it_yours: "Gehört diese Adresse zu diesem Konto?",
    it_is_mine: "Ja, Adresse bestätigen",
    mail_facts: "Konto:    {name} bei {site}\n\
                 Zeit:     {moment}\n\
                 Browser:  {browser}\n\
                 Adresse:  {address}",
    verify_mail: MailText {
        subject: "Gehört diese Adresse zum Konto?",
        body: "Diese Adresse wurde für das Konto {name}\n\
               bei {site} eingetragen.\n\
               \n\
               Gehören Konto und Adresse zusammen, bitte innerhalb einer Stunde diesen Link\n\
               öffnen und sich anmelden, falls danach gefragt wird:\n\
               \n\
               {link}\n\
               \n\
               Andernfalls ist nichts zu tun: Ohne diesen Schritt gilt die Adresse nicht.\n",
    },
    email_asked_mail: MailText {
        subject: "Für das Konto wurde eine neue E-Mail-Adresse eingetragen",
        body: "Für das Konto wurde eine neue E-Mail-Adresse eingetragen. Die bisherige\n\
               bleibt, bis die neue bestätigt ist.\n\
               \n\
               {facts}\n\
               \n\
               Wer das nicht selbst war, sollte jetzt das Passwort ändern, denn jemand\n\
               anderes kennt es. Damit enden alle anderen Sitzungen und der Link an die neue\n\
               Adresse.\n",
    },
    email_changed_mail: MailText {
        subject: "Die E-Mail-Adresse wurde geändert",
        body: "Die E-Mail-Adresse des Kontos wurde geändert oder entfernt. Mails zum Konto\n\
               kommen nicht mehr hierher.\n\
               \n\
               {facts}\n\
               \n\
               Wer das nicht selbst war, sollte sich sofort an die Verwaltung der Website\n\
               wenden.\n",
    },
    password_changed_mail: MailText {
        subject: "Das Passwort wurde geändert",
        body: "Das Passwort des Kontos wurde geändert. Alle anderen Sitzungen sind beendet.\n\
               \n\
               {facts}\n\
               \n\
               Wer das nicht selbst war, sollte sofort ein neues setzen: Die Anmeldeseite\n\
               führt zu einem Formular, das einen Link dafür schickt.\n",
    },
    new_browser_mail: MailText {
        subject: "Neue Anmeldung",
        body: "Das Konto wurde in einem Browser angemeldet, der dafür noch nicht benutzt\n\
               wurde.\n\
               \n\
               {facts}\n\
               \n\
               Wer das nicht selbst war, sollte jetzt das Passwort ändern, denn jemand\n\
               anderes kennt es. Damit enden alle anderen Sitzungen.\n",
    },
    token_created_mail: MailText {
        subject: "Ein Zugriffstoken wurde angelegt",
        body: "Für das Konto wurde ein Zugriffstoken angelegt. Damit nutzen Skripte Apps in\n\
               dessen Namen.\n\
               \n\
               {facts}\n\
               \n\
               Wer das nicht selbst war, sollte jetzt das Passwort ändern. Damit enden alle\n\
               Zugriffstoken.\n",
    },
    second_factor_on_mail: MailText {
        subject: "Der zweite Faktor wurde eingeschaltet",
        body: "Die Anmeldung verlangt jetzt neben dem Passwort einen zweiten Faktor. Alle\n\
               anderen Browser wurden abgemeldet.\n\
               \n\
               {facts}\n\
               \n\
               Wer das nicht selbst war, sollte sofort den Betreibern der Website Bescheid\n\
               geben.\n",
    },
    second_factor_off_mail: MailText {
        subject: "Der zweite Faktor wurde ausgeschaltet",
        body: "Zur Anmeldung genügt jetzt wieder das Passwort. Passkeys, die nur zweiter\n\
               Faktor waren, sind entfernt.\n\
               \n\
               {facts}\n\
               \n\
               Wer das nicht selbst war, sollte jetzt das Passwort ändern und den zweiten\n\
               Faktor wieder einschalten.\n",
    },
    recovery_code_used_mail: MailText {
        subject: "Ein Wiederherstellungscode wurde benutzt",
        body: "Bei einer Anmeldung wurde ein Wiederherstellungscode statt des zweiten Faktors\n\
               eingegeben. Er ist damit verbraucht.\n\
               \n\
               {facts}\n\
               \n\
               Wer das nicht selbst war, sollte jetzt das Passwort ändern und neue\n\
               Wiederherstellungscodes erzeugen.\n",
    },
    password_known_mail: MailText {
        subject: "Jemand kennt das Passwort",
        body: "Jemand hat mehrmals das richtige Passwort eingegeben und jedes Mal einen\n\
               falschen Code. Eine Anmeldung war das nicht.\n\
               \n\
               {facts}\n\
               \n\
               Wer das nicht selbst war, sollte jetzt das Passwort ändern.\n",
    },
    passkey_added_mail: MailText {
        subject: "Ein Passkey wurde hinzugefügt",
        body: "Zu diesem Konto wurde ein Passkey hinzugefügt. Mit ihm kann man sich anmelden.\n\
               \n\
               {facts}\n\
               \n\
               Wer das nicht selbst war, sollte ihn auf der Kontoseite entfernen und jetzt\n\
               das Passwort ändern.\n",
    },
    passkey_removed_mail: MailText {
        subject: "Ein Passkey wurde entfernt",
        body: "Aus diesem Konto wurde ein Passkey entfernt. Mit ihm kann man sich nicht mehr\n\
               anmelden.\n\
               \n\
               {facts}\n\
               \n\
               Wer das nicht selbst war, sollte jetzt das Passwort ändern.\n",
    },
    passkey_cloned_mail: MailText {
        subject: "Ein Passkey wurde abgelehnt",
        body: "Ein Passkey dieses Kontos wurde abgelehnt: Er hat weniger Benutzungen gezählt,\n\
               als er sollte, also gibt es vielleicht eine Kopie von ihm.\n\
               \n\
               {facts}\n\
               \n\
               Am besten jetzt diesen Passkey auf der Kontoseite entfernen und einen anderen\n\
               hinzufügen.\n",
    },
    account_deleted_mail: MailText {
        subject: "Das Konto wurde gelöscht",
        body: "Das Konto wurde mit allem gelöscht, was dazu gespeichert war.\n\
               \n\
               {facts}\n\
               \n\
               Wer das nicht selbst war, sollte sich sofort an die Verwaltung der Website\n\
               wenden.\n",
    },

    second_factor: "Zweiter Faktor",
    enter_code: "Code eingeben",
    app_code: "Code aus der App",
    code_advice: "Sechs Ziffern aus der App auf dem Telefon.",
    use_recovery_code: "Stattdessen einen Wiederherstellungscode eingeben",
    recovery_code: "Wiederherstellungscode",
    recovery_code_advice: "Einer der Codes, die beim Einschalten des zweiten Faktors angezeigt wurden. Jeder gilt einmal.",
    use_app: "Stattdessen einen Code aus der App eingeben",
    start_again: "Von vorn beginnen",
    remember_browser: "In diesem Browser eine Zeit lang nicht nach einem Code fragen",
    see_second_factor: "Einen zweiten Faktor einrichten oder ändern",
    set_up_advice: "Eine App auf dem Telefon zeigt Codes, nach denen beim Anmelden gefragt wird. Dieses Bild mit der App einlesen.",
    set_up_is_due: "Diese Seite verlangt einen zweiten Faktor. Bitte jetzt einrichten, um sich anzumelden.",
    qr_code: "QR-Code für die App",
    or_enter_secret: "Oder dieses Geheimnis in die App eingeben:",
    open_in_app: "In einer App auf diesem Gerät öffnen",
    turn_on: "Einschalten",
    turned_on_at: "Eingeschaltet ",
    codes_left: "Verbleibende Wiederherstellungs\u{ad}codes: ",
    recovery_codes: "Wiederherstellungs\u{ad}codes",
    recovery_codes_advice: "Jeder ersetzt einmal den zweiten Faktor. Sie werden nur dieses eine Mal gezeigt. Bitte jetzt aufschreiben.",
    new_codes_advice: "Neue Codes ersetzen die bisherigen.",
    new_recovery_codes: "Neue Wiederherstellungs\u{ad}codes anlegen",
    code_of_either_kind: "Code aus der App oder Wiederherstellungs\u{ad}code",
    remembered_browsers: "Gemerkte Browser",
    forget_browsers: "In jedem Browser nach einem Code fragen",
    turn_off: "Ausschalten",

    passkey: "Passkey",
    passkeys: "Passkeys",
    see_passkeys: "Mit Telefon, Computer oder Sicherheitsschlüssel anmelden",
    sign_in_with_passkey: "Mit einem Passkey anmelden",
    use_passkey: "Passkey benutzen",
    turn_on_with_passkey: "Mit einem Passkey einschalten",
    passkey_as_factor: "Ihr Passkey kann der zweite Faktor sein, auch ohne eine App.",
    passkeys_advice: "Ein Passkey liegt in einem Telefon, einem Computer, einem Passwort-Manager oder einem Sicherheitsschlüssel; mit ihm meldet man sich ohne Passwort an.",
    passkeys_need_script: "Um einen Passkey hinzuzufügen, muss ein Skript laufen, und dieser Browser lässt es nicht zu.",
    add_passkey: "Passkey hinzufügen",
    second_factor_only: "Nur zweiter Faktor",
    second_factor_only_advice: "Für einen Sicherheitsschlüssel ohne PIN und Fingerabdruck: Er wird nach dem Passwort benutzt, solange der zweite Faktor eingeschaltet ist.",
    add_second_factor_only: "Sicherheitsschlüssel hinzufügen",
    signs_in_alone: "Meldet ohne Passwort an",
    added_at: "Hinzugefügt ",
    new_name: "Neue Bezeichnung",
    rename: "Umbenennen",
    remove: "Entfernen",
    the_passkey_added: "Der Passkey ist hinzugefügt.",
    the_passkey_renamed: "Der Passkey ist umbenannt.",
    the_passkey_removed: "Der Passkey ist entfernt.",
    passkey_added: "Passkey hinzugefügt",
    passkey_removed: "Passkey entfernt",
    passkey_not_accepted: "Passkey nicht angenommen",
    made_for: Template("Gilt für ", ""),

    unknown_browser: "Unbekannter Browser",
    on_system: " unter ",
    this_browser: "Dieser Browser",
    signed_in_at: "Angemeldet ",
    from_address: " von\u{a0}",
    last_seen: "Zuletzt gesehen ",
    your_password: "Passwort zur Bestätigung",
    end: "Beenden",
    end_others: "Alle anderen Sitzungen beenden",

    confirm_identity: "Bitte bestätigen",
    go_on: "Weiter",

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
    back_to_tokens: "Zurück zu den Zugriffstoken",
    created_at: "Angelegt ",
    expires_at: Template("Läuft ", " ab"),
    expired_at: "Abgelaufen ",
    last_used: "Zuletzt benutzt ",
    never_used: ", nie benutzt",
    revoke: "Widerrufen",

    activity: "Aktivität",
    see_activity: "Sehen, was mit diesem Konto geschehen ist",
    no_activity: "Noch ist nichts aufgezeichnet.",
    account_created: "Konto angelegt",
    did_sign_in: "Angemeldet",
    sign_in_failed: "Anmeldung gescheitert",
    was_throttled: "Nach zu vielen Versuchen abgewiesen",
    did_sign_out: "Abgemeldet",
    session_ended: "Sitzung beendet",
    password_confirmed: "Passwort bestätigt",
    password_not_confirmed: "Passwort nicht bestätigt",
    password_changed: "Passwort geändert",
    password_not_changed: "Passwort nicht geändert",
    password_reset: "Passwort über einen Link gesetzt",
    email_asked: "Link an eine E-Mail-Adresse angefordert",
    email_verified: "E-Mail-Adresse bestätigt",
    email_removed: "E-Mail-Adresse entfernt",
    account_not_deleted: "Konto nicht gelöscht",
    token_created: "Zugriffstoken angelegt",
    token_revoked: "Zugriffstoken widerrufen",
    account_created_for: "Konto von der Verwaltung angelegt",
    password_set_for: "Passwort von der Verwaltung gesetzt",
    renamed: "Von der Verwaltung umbenannt",
    unlocked: "Von der Verwaltung entsperrt",
    groups_set: "Gruppen von der Verwaltung geändert",
    email_set: "E-Mail-Adresse von der Verwaltung geändert",
    disabled: "Von der Verwaltung gesperrt",
    enabled: "Von der Verwaltung freigegeben",
    key_added: "Anmeldename von der Verwaltung hinzugefügt",
    key_removed: "Anmeldename von der Verwaltung entfernt",
    reset_link_created: "Link zum Setzen des Passworts von der Verwaltung angelegt",
    second_factor_turned_on: "Zweiter Faktor eingeschaltet",
    second_factor_turned_off: "Zweiter Faktor ausgeschaltet",
    recovery_codes_created: "Wiederherstellungscodes angelegt",
    browsers_forgotten: "Gemerkte Browser vergessen",
    code_asked_for: "Passwort richtig, Code verlangt",
    code_refused: "Code abgelehnt",

    no_access_to: Template("Dieses Konto hat keinen Zugang zu ", "."),
    open_to_group: Template("Zugang haben Mitglieder der Gruppe ", "."),
    open_to_groups: Template("Zugang haben Mitglieder einer dieser Gruppen: ", "."),
    ask_administrator: "Bitte bei der Verwaltung dieser Website nachfragen.",
    with_another_account: "Mit einem anderen Konto anmelden",
    set_second_factor_up: "Einen zweiten Faktor einrichten",
    two_cookies_sent: "Der Browser schickt zwei Sitzungs-Cookies, und nur eines davon kann das richtige sein.",
    clear_cookies_and: Template("Bitte die Cookies dieser Website löschen und ", "."),
    sign_in_again: "neu anmelden",

    you_signed_out: "Die Abmeldung war erfolgreich.",
    your_password_changed: "Das Passwort ist geändert. Alle anderen Sitzungen sind beendet.",
    your_password_set: "Das Passwort ist gesetzt. Bitte damit anmelden.",
    your_account_deleted: "Das Konto ist gelöscht.",
    the_session_ended: "Die Sitzung ist beendet.",
    other_sessions_ended: "Alle anderen Sitzungen sind beendet.",
    link_is_sent: "An die neue Adresse ist ein Link unterwegs. Auch im Spam-Ordner nachsehen.",
    your_email_verified: "Die E-Mail-Adresse ist bestätigt.",
    your_email_removed: "Die E-Mail-Adresse wurde entfernt.",
    second_factor_is_off: "Der zweite Faktor ist ausgeschaltet. Das Passwort genügt wieder.",
    browsers_are_forgotten: "In jedem Browser wird wieder nach einem Code gefragt.",
    the_token_revoked: "Das Zugriffstoken ist widerrufen.",

    seconds: Unit("Sekunde", "Sekunden"),
    minutes: Unit("Minute", "Minuten"),
    hours: Unit("Stunde", "Stunden"),
    days: Unit("Tag", "Tagen"),
    months: Unit("Monat", "Monaten"),
    years: Unit("Jahr", "Jahren"),
    is_one: |count| count == 1,
    try_again: "Noch einmal versuchen",
    try_again_in: Template("Bitte in ", " noch einmal versuchen."),
    ago: Template("vor ", ""),
    in_future: Template("in ", ""),
    just_now: "gerade eben",

    of_all: " von ",
    previous_page: "Vorige Seite",
    next_page: "Nächste Seite",

    bad_username: told("Ungültiger Benutzername", "4 bis 31 sichtbare Zeichen."),
    bad_username_at_sign_in: told("Ungültiger Benutzername", "Namen haben 1 bis 31 Zeichen."),
    bad_address_as_name: told(
        "Ungültiger Benutzername",
        "Eine E-Mail-Adresse in der Form name@example.com.",
    ),
    name_taken: told("Benutzername schon vergeben", "Bitte einen anderen wählen."),
    address_as_name_taken: told(
        "Benutzername schon vergeben",
        "Wenn es Ihr Konto ist, melden Sie sich an.",
    ),
    bad_password: told("Ungültiges Passwort", "Passwörter haben 1 bis 255 Zeichen."),
    short_password_of_minimal: told("Ungültiges Passwort", "Mindestens 6 Zeichen."),
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
        "Dieses Passwort ist weit verbreitet und wird deshalb als Erstes geraten.",
    ),
    password_is_name: told(
        "Ungültiges Passwort",
        "Benutzernamen werden als Erstes geraten. Bitte etwas anderes wählen.",
    ),
    incorrect_credentials: told(
        "Benutzername oder Passwort falsch",
        "Bitte beides prüfen und noch einmal versuchen.",
    ),
    verify_first: told(
        "Die E-Mail-Adresse ist noch nicht bestätigt",
        "Ein Link ist dorthin unterwegs. Bitte innerhalb einer Stunde öffnen und sich dort anmelden.",
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
    bad_email: told("Ungültige E-Mail-Adresse", "Bitte in der Form name@example.com schreiben."),
    second_factor_required: told("Ein zweiter Faktor ist nötig", "Bitte auch einen Code angeben."),
    bad_code: told(
        "Ungültiger Code",
        "Ein Code aus der App hat sechs Ziffern, ein Wiederherstellungscode 24 Buchstaben und Ziffern.",
    ),
    incorrect_code: told("Falscher Code", "Jeder Code gilt einmal. Bitte den nächsten abwarten."),
    enrolment_too_old: told("Diese Einrichtung ist zu alt", "Bitte das neue Bild einlesen."),
    second_factor_on: told("Der zweite Faktor ist eingeschaltet", "Er war es schon vorher."),
    second_factor_off: told("Der zweite Faktor ist ausgeschaltet", "Bitte zuerst einschalten."),
    second_factor_needed: told(
        "Ein zweiter Faktor ist hier Pflicht",
        "Er lässt sich nicht ausschalten.",
    ),
    passkey_failed: told("Es wurde kein Passkey benutzt", "Bitte noch einmal versuchen."),
    passkey_refused: told("Passkey nicht angenommen", "Bitte noch einmal versuchen."),
    too_many_passkeys: told(
        "Zu viele Passkeys",
        "Bitte einen entfernen, der nicht mehr gebraucht wird.",
    ),
    last_factor: told(
        "Das ist der letzte zweite Faktor",
        "Bitte zuerst den zweiten Faktor ausschalten oder einen anderen hinzufügen.",
    ),
    no_passkey: told("Passkey nicht gefunden", "Vielleicht ist er schon entfernt."),
    bad_display_name: told(
        "Ungültige Bezeichnung",
        "1 bis 60 Zeichen, an denen das Token wiederzuerkennen ist.",
    ),
    bad_token_life: told("Ungültige Dauer", "Bitte 1 bis 366 Tage wählen."),
    too_many_tokens: told(
        "Zu viele Zugriffstoken",
        "Bitte eines widerrufen, das nicht mehr gebraucht wird.",
    ),

    foreign: told(
        "Nicht erlaubt",
        "Diese Anfrage kam von einer anderen Website; darum ist nichts geschehen. Bitte die Seiten hier \
         benutzen.",
    ),
    signed_out: told("Abgemeldet", "Die Sitzung war schon beendet; dieser Browser ist abgemeldet."),
    unauthorized: told("Nicht angemeldet", "Die Anmeldung fehlt oder gilt nicht mehr."),
    closed: told("Nicht erlaubt", "Dieses Konto hat hier keinen Zugang."),
    second_factor_missing: told(
        "Ein zweiter Faktor ist nötig",
        "Zugang gibt es hier nur mit einer Anmeldung mit zweitem Faktor.",
    ),
    two_cookies: told("Nicht erlaubt", "Es gibt zwei Sitzungs-Cookies; bitte beide löschen."),
    sign_up_closed: told(
        "Keine neuen Konten",
        "Konten legt die Verwaltung dieser Website an. Bitte dort nachfragen.",
    ),
    sign_up_by_invitation: told(
        "Konten nur auf Einladung",
        "Dafür ist ein Einladungslink nötig. Bitte bei der Verwaltung dieser Website nachfragen.",
    ),
    bad_invite: told(
        "Diese Einladung gilt nicht mehr",
        "Vielleicht ist sie schon benutzt oder zu alt. Eine neue gibt es auf Nachfrage.",
    ),
    bad_link: told(
        "Dieser Link gilt nicht mehr",
        "Vielleicht ist er schon benutzt oder älter als eine Stunde. Einen neuen gibt es auf Nachfrage.",
    ),
    not_found: told("Nicht gefunden", "Unter dieser Adresse ist keine Seite."),
    no_session: told("Nicht gefunden", "Diese Sitzung gibt es nicht."),
    no_token: told("Nicht gefunden", "Dieses Zugriffstoken gibt es nicht."),
    not_allowed: told("So nicht möglich", "Diese Seite lässt sich auf diese Weise nicht aufrufen."),
    unsupported: told(
        "Unbekanntes Format",
        "Bitte ein Formular (application/x-www-form-urlencoded) oder ein JSON-Objekt (application/json) schicken, in \
         UTF-8 und nicht komprimiert.",
    ),
    invalid_json: told(
        "Ungültiges JSON",
        "Bitte ein JSON-Objekt schicken. Alle Werte müssen Zeichenketten sein, und kein Name darf zweimal vorkommen.",
    ),
    too_many_fields: told("Anfrage zu groß", "Bitte weniger Felder schicken."),
    malformed: told("Fehlerhafte Anfrage", "Die Anfrage war nicht zu verstehen."),
    too_slow: told(
        "Zeitüberschreitung",
        "Die Anfrage kam zu langsam an. Bitte noch einmal versuchen.",
    ),
    too_large: told("Anfrage zu groß", "Bitte weniger Daten schicken."),
    target_too_long: told("Adresse zu lang", "Bitte die Adresse prüfen."),
    expectation: told(
        "Erwartung nicht erfüllbar",
        "Bitte die Anfrage ohne das Feld Expect schicken.",
    ),
    head_too_large: told("Kopf der Anfrage zu groß", "Bitte die Cookies dieser Website löschen."),
    version: told("HTTP-Version nicht unterstützt", "Hier wird HTTP/1.1 gesprochen."),
    unknown_error: told(
        "Ein unbekannter Fehler ist aufgetreten",
        "Der Fehler liegt auf unserer Seite und wurde protokolliert. Bitte später noch einmal versuchen.",
    ),
    busy: told(
        "Überlastet",
        "Der Server ist gerade überlastet. Bitte gleich noch einmal versuchen.",
    ),
};
