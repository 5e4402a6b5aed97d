//! The French texts, in the order of the English ones.

use super::{MailText, Template, Text, Unit, told};

/// French, in the polite form. A no-break space stands before `?`, `:` and inside quotation marks.
pub static FR: Text = Text {
    code: "fr",

    sign_up: "Créer un compte",
    sign_in: "Se connecter",
    sign_out: "Se déconnecter",
    been_here: "Vous avez déjà un compte\u{a0}?",
    new_here: "Pas encore de compte\u{a0}?",
    create_account: "Créer un compte",
    username: "Nom d’utilisateur",
    password: "Mot de passe",
    sign_in_to_go_on_to: Template("Connectez-vous pour continuer vers ", "."),
    sign_up_to_go_on_to: Template("Créez un compte pour continuer vers ", "."),
    stay_signed_in: "Rester connecté",
    forgot_password: "Mot de passe oublié\u{a0}? L’administrateur de ce site peut vous donner un lien pour en définir un nouveau.",
    profile: "Profil",
    user_id_is: "Identifiant\u{a0}: ",
    username_is: "Nom d’utilisateur\u{a0}: ",
    back: "Retour à l’accueil",
    back_to: Template("Retour à ", ""),

    account: "Compte",
    signed_in_as: "Connecté en tant que ",
    current_password: "Mot de passe actuel",
    new_password: "Nouveau mot de passe",
    change_password: "Changer le mot de passe",
    others_end: "Tous vos autres navigateurs seront déconnectés.",
    others_and_tokens_end: "Tous vos autres navigateurs seront déconnectés et vos jetons d’accès révoqués.",
    sessions: "Sessions",
    see_sessions: "Voir où ce compte est connecté",
    access_tokens: "Jetons d’accès",
    see_tokens: "Donner à des scripts l’accès aux applications de ce site",
    delete_account: "Supprimer le compte",
    delete_advice: "Votre compte est supprimé et vous êtes déconnecté partout. Cette action est définitive.",

    reset_for: "Compte\u{a0}: ",
    set_password: "Définir le mot de passe",
    reset_advice: "Vous serez déconnecté partout. Connectez-vous ensuite avec le nouveau mot de passe.",

    forgot_your_password: "Mot de passe oublié\u{a0}?",
    forgot_advice: "Un lien pour choisir un nouveau mot de passe est envoyé à l’adresse du compte.",
    name_or_address: "Nom d’utilisateur ou adresse e-mail",
    send_link: "Envoyer le lien",
    mail_may_come: told(
        "S’il existe un tel compte avec une adresse vérifiée, un e-mail est en route",
        "Cela peut prendre quelques minutes. Regardez aussi dans les indésirables.",
    ),
    reset_mail: MailText {
        subject: "Choisir un nouveau mot de passe",
        body: "Un nouveau mot de passe a été demandé, sans doute par vous, pour le compte\n\
               {name} sur {site}.\n\
               \n\
               Ce lien permet d’en choisir un. Il sert une seule fois, pendant une heure :\n\
               \n\
               {link}\n\
               \n\
               Si ce n’était pas vous, il n’y a rien à faire : votre mot de passe reste le\n\
               même, et demander un lien ne donne accès à personne.\n",
    },

    email: "Adresse e-mail",
    see_email: "Ajouter, changer ou supprimer votre adresse",
    no_email: "Il n’y a pas encore d’adresse e-mail.",
    is_verified: "vérifiée",
    is_not_verified: "non vérifiée",
    new_email: "Nouvelle adresse e-mail",
    email_advice: "Un lien y est envoyé. L’adresse compte une fois le lien utilisé\u{a0}; d’ici là, la précédente reste.",
    email_is_verified: "Un lien qui la vérifie y est envoyé.",
    email_is_optional: "Facultative. Un lien qui la vérifie y est envoyé.",
    link_is_mailed: told(
        "Un lien vous a été envoyé par e-mail",
        "Ouvrez-le dans l’heure et connectez-vous\u{a0}: cela vérifie votre adresse e-mail. Regardez aussi dans les \
         indésirables.",
    ),
    sign_in_to_verify: "Connectez-vous pour vérifier votre adresse e-mail.",
    remove_email: "Supprimer l’adresse",
    is_it_yours: "Est-ce votre adresse\u{a0}?",
    it_is_mine: "Oui, c’est la mienne",
    mail_facts: "Compte\u{a0}: {name} sur {site}\n\
                 Date\u{a0}: {moment}\n\
                 Navigateur\u{a0}: {browser}\n\
                 Adresse\u{a0}: {address}",
    verify_mail: MailText {
        subject: "Est-ce votre adresse\u{a0}?",
        body: "Quelqu’un, vous sans doute, a indiqué cette adresse pour le compte {name} sur\n\
               {site}.\n\
               \n\
               Si c’est votre compte, ouvrez ce lien dans l’heure, et connectez-vous si on\n\
               vous le demande\u{a0}:\n\
               \n\
               {link}\n\
               \n\
               Sinon, il n’y a rien à faire\u{a0}: sans vous, l’adresse ne compte pas.\n",
    },
    email_asked_mail: MailText {
        subject: "Une nouvelle adresse e-mail a été indiquée pour votre compte",
        body: "Une nouvelle adresse e-mail a été indiquée pour votre compte. Celle-ci reste\n\
               jusqu’à ce que la nouvelle soit vérifiée.\n\
               \n\
               {facts}\n\
               \n\
               Si ce n’était pas vous, quelqu’un d’autre a votre mot de passe. Changez-le\n\
               maintenant\u{a0}: cela met fin aux autres sessions et au lien vers la nouvelle\n\
               adresse.\n",
    },
    email_changed_mail: MailText {
        subject: "Votre adresse e-mail a été changée",
        body: "L’adresse e-mail de votre compte a été changée ou supprimée. Le courrier à\n\
               propos du compte n’arrive plus ici.\n\
               \n\
               {facts}\n\
               \n\
               Si ce n’était pas vous, prévenez tout de suite l’administrateur du site.\n",
    },
    password_changed_mail: MailText {
        subject: "Votre mot de passe a été changé",
        body: "Le mot de passe de votre compte a été changé. Toutes les autres sessions ont\n\
               pris fin.\n\
               \n\
               {facts}\n\
               \n\
               Si ce n’était pas vous, choisissez-en un nouveau tout de suite\u{a0}: la page de\n\
               connexion mène à un formulaire qui vous envoie un lien.\n",
    },
    new_browser_mail: MailText {
        subject: "Nouvelle connexion",
        body: "Quelqu’un s’est connecté à votre compte avec un navigateur encore inconnu.\n\
               \n\
               {facts}\n\
               \n\
               Si ce n’était pas vous, quelqu’un d’autre a votre mot de passe. Changez-le\n\
               maintenant\u{a0}: cela met fin à toutes les autres sessions.\n",
    },
    token_created_mail: MailText {
        subject: "Un jeton d’accès a été créé",
        body: "Un jeton d’accès a été créé pour votre compte. Des scripts utilisent ainsi des\n\
               applications en votre nom.\n\
               \n\
               {facts}\n\
               \n\
               Si ce n’était pas vous, changez votre mot de passe maintenant\u{a0}: cela met fin à\n\
               tous les jetons d’accès.\n",
    },
    second_factor_on_mail: MailText {
        subject: "Le second facteur a été activé",
        body: "Pour vous connecter, il faut désormais un second facteur en plus du\n\
               mot de passe. Tous les autres navigateurs ont été déconnectés.\n\
               \n\
               {facts}\n\
               \n\
               Si ce n’était pas vous, prévenez tout de suite l’administrateur du site.\n",
    },
    second_factor_off_mail: MailText {
        subject: "Le second facteur a été désactivé",
        body: "Pour vous connecter, le mot de passe suffit de nouveau.\n\
               Les clés d’accès qui n’étaient qu’un second facteur ont été supprimées.\n\
               \n\
               {facts}\n\
               \n\
               Si ce n’était pas vous, changez votre mot de passe maintenant et activez de\n\
               nouveau le second facteur.\n",
    },
    recovery_code_used_mail: MailText {
        subject: "Un code de secours a été utilisé",
        body: "Une connexion à votre compte s’est faite avec un code de secours au lieu du\n\
               second facteur. Ce code ne peut plus servir.\n\
               \n\
               {facts}\n\
               \n\
               Si ce n’était pas vous, changez votre mot de passe maintenant et créez de\n\
               nouveaux codes de secours.\n",
    },
    password_known_mail: MailText {
        subject: "Quelqu’un connaît votre mot de passe",
        body: "Quelqu’un a donné plusieurs fois votre mot de passe, et chaque fois un code\n\
               incorrect. La connexion a été refusée.\n\
               \n\
               {facts}\n\
               \n\
               Si ce n’était pas vous, changez votre mot de passe maintenant.\n",
    },
    passkey_added_mail: MailText {
        subject: "Une clé d’accès a été ajoutée",
        body: "Une clé d’accès a été ajoutée à votre compte. Elle permet de s’y connecter.\n\
               \n\
               {facts}\n\
               \n\
               Si ce n’était pas vous, supprimez-la sur la page de votre compte et changez\n\
               votre mot de passe maintenant.\n",
    },
    passkey_removed_mail: MailText {
        subject: "Une clé d’accès a été supprimée",
        body: "Une clé d’accès de votre compte a été supprimée. Elle ne permet plus de s’y\n\
               connecter.\n\
               \n\
               {facts}\n\
               \n\
               Si ce n’était pas vous, changez votre mot de passe maintenant.\n",
    },
    passkey_cloned_mail: MailText {
        subject: "Une clé d’accès a été refusée",
        body: "Une clé d’accès de votre compte a été refusée\u{a0}: elle a compté moins\n\
               d’utilisations qu’elle ne devrait, et il en existe peut-être une copie.\n\
               \n\
               {facts}\n\
               \n\
               Supprimez cette clé sur la page de votre compte et ajoutez-en une autre.\n",
    },
    account_deleted_mail: MailText {
        subject: "Votre compte a été supprimé",
        body: "Votre compte a été supprimé, avec tout ce qui y était enregistré.\n\
               \n\
               {facts}\n\
               \n\
               Si ce n’était pas vous, prévenez tout de suite l’administrateur du site.\n",
    },

    second_factor: "Second facteur",
    enter_code: "Saisissez votre code",
    app_code: "Code de l’application",
    code_advice: "Six chiffres, dans l’application de votre téléphone.",
    use_recovery_code: "Utiliser plutôt un code de secours",
    recovery_code: "Code de secours",
    recovery_code_advice: "L’un des codes notés lors de l’activation du second facteur. Chacun sert une seule fois.",
    use_app: "Utiliser plutôt un code de l’application",
    start_again: "Recommencer",
    remember_browser: "Ne plus demander de code dans ce navigateur pendant un certain temps",
    see_second_factor: "Configurer un second facteur, ou le changer",
    set_up_advice: "Une application de votre téléphone affiche des codes, demandés après le mot de passe. Scannez cette image avec l’application.",
    set_up_is_due: "Ce site demande un second facteur. Configurez-le pour vous connecter.",
    qr_code: "Code QR pour l’application",
    or_enter_secret: "Ou saisissez ce secret dans l’application\u{a0}:",
    open_in_app: "Ouvrir dans une application de cet appareil",
    turn_on: "Activer",
    turned_on_at: "Activé ",
    codes_left: "Codes de secours restants\u{a0}: ",
    recovery_codes: "Codes de secours",
    recovery_codes_advice: "Chacun remplace une fois le second facteur. Ils ne sont affichés qu’une seule fois. Notez-les maintenant.",
    new_codes_advice: "De nouveaux codes remplacent ceux que vous avez.",
    new_recovery_codes: "Créer de nouveaux codes de secours",
    code_of_either_kind: "Code de l’application ou code de secours",
    remembered_browsers: "Navigateurs mémorisés",
    forget_browsers: "Demander un code dans tous les navigateurs",
    turn_off: "Désactiver",

    passkey: "Clé d’accès",
    passkeys: "Clés d’accès",
    see_passkeys: "Se connecter avec un téléphone, un ordinateur ou une clé de sécurité",
    sign_in_with_passkey: "Se connecter avec une clé d’accès",
    use_passkey: "Utiliser une clé d’accès",
    turn_on_with_passkey: "Activer avec une clé d’accès",
    passkey_as_factor: "Votre clé d’accès peut servir de second facteur, avec ou sans application.",
    passkeys_advice: "Une clé d’accès est conservée dans un téléphone, un ordinateur, un gestionnaire de mots de passe ou une clé de sécurité, et vous connecte sans mot de passe.",
    passkeys_need_script: "L’ajout d’une clé d’accès demande un script, que ce navigateur n’exécute pas.",
    add_passkey: "Ajouter une clé d’accès",
    second_factor_only: "Second facteur seulement",
    second_factor_only_advice: "Pour une clé de sécurité sans code PIN ni empreinte\u{a0}: elle s’utilise après le mot de passe, tant que le second facteur est activé.",
    add_second_factor_only: "Ajouter une clé de sécurité",
    signs_in_alone: "Connecte sans mot de passe",
    added_at: "Ajoutée ",
    new_name: "Nouveau libellé",
    rename: "Renommer",
    remove: "Supprimer",
    the_passkey_added: "La clé d’accès est ajoutée.",
    the_passkey_renamed: "La clé d’accès est renommée.",
    the_passkey_removed: "La clé d’accès est supprimée.",
    passkey_added: "Clé d’accès ajoutée",
    passkey_removed: "Clé d’accès supprimée",
    passkey_not_accepted: "Clé d’accès refusée",
    made_for: Template("Créée pour ", ""),

    unknown_browser: "Navigateur inconnu",
    on_system: " sous ",
    this_browser: "Ce navigateur",
    signed_in_at: "Connexion\u{a0}: ",
    from_address: " depuis\u{a0}",
    last_seen: "Dernière activité\u{a0}: ",
    your_password: "Votre mot de passe",
    end: "Terminer",
    end_others: "Terminer toutes les autres sessions",

    confirm_identity: "Confirmez votre identité",
    go_on: "Continuer",

    tokens_advice: "Pour les scripts et les applications qui ne peuvent pas afficher de page de connexion. Ils \
                    donnent accès aux applications protégées par ce site, mais pas au site lui-même. Un nouveau \
                    mot de passe les révoque tous.",
    your_new_token: "Votre nouveau jeton d’accès",
    shown_once: "Il n’est affiché qu’une seule fois. Copiez-le maintenant.",
    name: "Libellé",
    expires_in: "Expire dans",
    thirty_days: "30 jours",
    ninety_days: "90 jours",
    a_year: "1 an",
    create_token: "Créer un jeton d’accès",
    back_to_tokens: "Retour aux jetons d’accès",
    created_at: "Créé ",
    expires_at: Template("Expire ", ""),
    expired_at: "Expiré ",
    last_used: "Dernière utilisation\u{a0}: ",
    never_used: ", jamais utilisé",
    revoke: "Révoquer",

    activity: "Activité",
    see_activity: "Voir ce qui s’est passé sur ce compte",
    no_activity: "Rien n’a encore été enregistré.",
    account_created: "Compte créé",
    did_sign_in: "Connexion",
    sign_in_failed: "Échec de connexion",
    was_throttled: "Tentative refusée après trop d’échecs",
    did_sign_out: "Déconnexion",
    session_ended: "Session terminée",
    password_confirmed: "Mot de passe confirmé",
    password_not_confirmed: "Mot de passe non confirmé",
    password_changed: "Mot de passe changé",
    password_not_changed: "Échec du changement de mot de passe",
    password_reset: "Mot de passe défini par un lien",
    email_asked: "Lien demandé pour une adresse e-mail",
    email_verified: "Adresse e-mail vérifiée",
    email_removed: "Adresse e-mail supprimée",
    account_not_deleted: "Échec de la suppression du compte",
    token_created: "Jeton d’accès créé",
    token_revoked: "Jeton d’accès révoqué",
    account_created_for: "Compte créé par l’administrateur",
    password_set_for: "Mot de passe défini par l’administrateur",
    renamed: "Renommé par l’administrateur",
    unlocked: "Débloqué par l’administrateur",
    groups_set: "Groupes modifiés par l’administrateur",
    email_set: "Adresse e-mail modifiée par l’administrateur",
    disabled: "Désactivé par l’administrateur",
    enabled: "Activé par l’administrateur",
    key_added: "Nom de connexion ajouté par l’administrateur",
    key_removed: "Nom de connexion retiré par l’administrateur",
    reset_link_created: "Lien de réinitialisation créé par l’administrateur",
    second_factor_turned_on: "Second facteur activé",
    second_factor_turned_off: "Second facteur désactivé",
    recovery_codes_created: "Codes de secours créés",
    browsers_forgotten: "Navigateurs mémorisés oubliés",
    code_asked_for: "Mot de passe accepté, code demandé",
    code_refused: "Code refusé",

    no_access_to: Template("Ce compte n’a pas accès à ", "."),
    open_to_group: Template("Les membres du groupe ", " y ont accès."),
    open_to_groups: Template("Les membres de l’un de ces groupes y ont accès\u{a0}: ", "."),
    ask_administrator: "Adressez-vous à l’administrateur de ce site.",
    with_another_account: "Se connecter avec un autre compte",
    set_second_factor_up: "Configurer un second facteur",
    two_cookies_sent: "Votre navigateur a envoyé deux cookies de session, dont un seul peut être le vôtre.",
    clear_cookies_and: Template("Effacez les cookies de ce site, puis ", "."),
    sign_in_again: "connectez-vous de nouveau",

    you_signed_out: "Vous êtes déconnecté.",
    your_password_changed: "Votre mot de passe a été changé. Toutes vos autres sessions sont terminées.",
    your_password_set: "Votre mot de passe a été défini. Connectez-vous avec celui-ci.",
    your_account_deleted: "Votre compte a été supprimé.",
    the_session_ended: "La session a été terminée.",
    other_sessions_ended: "Toutes vos autres sessions ont été terminées.",
    link_is_sent: "Un lien est en route vers la nouvelle adresse. Regardez aussi parmi les indésirables.",
    your_email_verified: "Votre adresse e-mail est vérifiée.",
    your_email_removed: "Votre adresse e-mail a été supprimée.",
    second_factor_is_off: "Le second facteur est désactivé. Le mot de passe suffit de nouveau.",
    browsers_are_forgotten: "Un code est de nouveau demandé dans tous les navigateurs.",
    the_token_revoked: "Le jeton d’accès a été révoqué.",

    seconds: Unit("seconde", "secondes"),
    minutes: Unit("minute", "minutes"),
    hours: Unit("heure", "heures"),
    days: Unit("jour", "jours"),
    months: Unit("mois", "mois"),
    years: Unit("an", "ans"),
    is_one: |count| count <= 1,
    try_again: "Réessayer",
    try_again_in: Template("Réessayez dans ", "."),
    ago: Template("il y a ", ""),
    in_future: Template("dans ", ""),
    just_now: "à l’instant",

    of_all: " sur ",
    previous_page: "Page précédente",
    next_page: "Page suivante",

    bad_username: told("Nom d’utilisateur non valide", "4 à 31 caractères visibles."),
    bad_username_at_sign_in: told(
        "Nom d’utilisateur non valide",
        "Les noms d’utilisateur ont 1 à 31 caractères.",
    ),
    bad_address_as_name: told(
        "Nom d’utilisateur non valide",
        "Une adresse e-mail, comme nom@example.com.",
    ),
    name_taken: told("Nom d’utilisateur déjà pris", "Choisissez-en un autre."),
    address_as_name_taken: told(
        "Nom d’utilisateur déjà pris",
        "Si ce compte est le vôtre, connectez-vous.",
    ),
    bad_password: told("Mot de passe non valide", "Les mots de passe ont 1 à 255 caractères."),
    short_password_of_minimal: told("Mot de passe non valide", "Au moins 6 caractères."),
    short_password_of_standard: told(
        "Mot de passe non valide",
        "Au moins 8 caractères. Trois mots sans rapport entre eux conviennent bien.",
    ),
    short_password_of_nist: told(
        "Mot de passe non valide",
        "Au moins 15 caractères. Trois mots sans rapport entre eux conviennent bien.",
    ),
    long_password: told("Mot de passe non valide", "Au plus 255 caractères."),
    common_password: told(
        "Mot de passe non valide",
        "Ce mot de passe est courant. Ce sont ceux que l’on essaie en premier.",
    ),
    password_is_name: told(
        "Mot de passe non valide",
        "Un nom d’utilisateur est essayé en premier. Choisissez autre chose.",
    ),
    incorrect_credentials: told(
        "Nom d’utilisateur ou mot de passe incorrect",
        "Vérifiez les deux et réessayez.",
    ),
    verify_first: told(
        "Votre adresse e-mail n’est pas vérifiée",
        "Un lien y a été envoyé. Ouvrez-le dans l’heure et connectez-vous.",
    ),
    incorrect_password: told("Mot de passe incorrect", "Vérifiez-le et réessayez."),
    password_required: told(
        "Mot de passe requis",
        "Pour continuer, saisissez de nouveau votre mot de passe.",
    ),
    too_many_attempts: told("Trop de tentatives", "Patientez un moment, puis réessayez."),
    bad_email: told("Adresse e-mail invalide", "Écrivez-la comme dans nom@example.com."),
    second_factor_required: told("Un second facteur est nécessaire", "Donnez aussi un code."),
    bad_code: told(
        "Code non valide",
        "Un code de l’application a six chiffres, un code de secours 24 lettres et chiffres.",
    ),
    incorrect_code: told("Code incorrect", "Chaque code sert une seule fois. Attendez le suivant."),
    enrolment_too_old: told("Cette configuration est trop ancienne", "Scannez la nouvelle image."),
    second_factor_on: told("Le second facteur est activé", "Il l’était déjà."),
    second_factor_off: told("Le second facteur est désactivé", "Activez-le d’abord."),
    second_factor_needed: told("Un second facteur est exigé ici", "Il ne peut pas être désactivé."),
    passkey_failed: told("Aucune clé d’accès n’a été utilisée", "Réessayez."),
    passkey_refused: told("Clé d’accès refusée", "Réessayez."),
    too_many_passkeys: told(
        "Trop de clés d’accès",
        "Supprimez-en une dont vous n’avez plus besoin.",
    ),
    last_factor: told(
        "C’est votre dernier second facteur",
        "Désactivez d’abord le second facteur, ou ajoutez-en un autre.",
    ),
    no_passkey: told("Clé d’accès introuvable", "Elle a peut-être déjà été supprimée."),
    bad_display_name: told("Libellé non valide", "1 à 60 caractères, pour le reconnaître."),
    bad_token_life: told("Durée non valide", "Choisissez de 1 à 366 jours."),
    too_many_tokens: told("Trop de jetons d’accès", "Révoquez-en un dont vous n’avez plus besoin."),

    foreign: told(
        "Interdit",
        "Cette requête vient d’un autre site, et rien n’a été modifié. Utilisez les pages de ce site.",
    ),
    unauthorized: told("Non connecté", "Vous n’êtes pas connecté, ou votre session est terminée."),
    signed_out: told(
        "Déconnecté",
        "La session était déjà terminée\u{a0}; ce navigateur est déconnecté.",
    ),
    closed: told("Interdit", "Vous n’avez pas accès à cette page."),
    second_factor_missing: told(
        "Un second facteur est nécessaire",
        "L’accès est réservé aux utilisateurs connectés avec un second facteur.",
    ),
    two_cookies: told(
        "Interdit",
        "Votre navigateur a envoyé deux cookies de session. Effacez les cookies de ce site.",
    ),
    sign_up_closed: told(
        "Les inscriptions sont fermées",
        "Les comptes sont créés par l’administrateur de ce site. Adressez-vous à lui.",
    ),
    sign_up_by_invitation: told(
        "Inscription sur invitation",
        "Il vous faut un lien d’invitation. Adressez-vous à l’administrateur de ce site.",
    ),
    bad_invite: told(
        "Cette invitation n’est plus valable",
        "Elle a peut-être déjà servi, ou elle a expiré. Demandez-en une nouvelle.",
    ),
    bad_link: told(
        "Ce lien n’est plus valable",
        "Il a peut-être déjà servi, ou il date de plus d’une heure. Demandez-en un nouveau.",
    ),
    not_found: told("Introuvable", "Il n’y a pas de page à cette adresse."),
    no_session: told("Introuvable", "Cette session n’existe pas."),
    no_token: told("Introuvable", "Ce jeton d’accès n’existe pas."),
    not_allowed: told("Méthode non autorisée", "Cette page ne prend pas en charge cette méthode."),
    unsupported: told(
        "Format non pris en charge",
        "Envoyez un formulaire (application/x-www-form-urlencoded) ou un objet JSON (application/json), en UTF-8 et \
         sans compression.",
    ),
    invalid_json: told(
        "JSON non valide",
        "Envoyez un seul objet JSON, dont les valeurs sont des chaînes et dont chaque nom n’apparaît qu’une fois.",
    ),
    too_many_fields: told("Requête trop grande", "Envoyez moins de champs."),
    malformed: told("Requête incorrecte", "La requête n’a pas pu être comprise."),
    too_slow: told("Délai dépassé", "La requête a mis trop de temps à arriver. Réessayez."),
    too_large: told("Requête trop grande", "Envoyez moins de données."),
    target_too_long: told("Adresse trop longue", "Vérifiez l’adresse."),
    expectation: told("Attente non satisfaite", "Envoyez la requête sans l’en-tête Expect."),
    head_too_large: told("En-têtes trop longs", "Effacez les cookies de ce site."),
    version: told("Version de HTTP non prise en charge", "Ce serveur utilise HTTP/1.1."),
    unknown_error: told(
        "Une erreur inconnue s’est produite",
        "Le problème vient de notre côté et a été enregistré. Réessayez plus tard.",
    ),
    busy: told("Serveur occupé", "Le serveur est occupé. Réessayez dans un instant."),
};
