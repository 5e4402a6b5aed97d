//! Answers of passkeys, right and wrong.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use vestibule::base::clock::Moment;
use vestibule::base::origin::Origin;
use vestibule::base::webauthn::{
    AuthenticationResponse, ChallengeRule, CredentialUse, ExpectedResponse, NewCredential,
    PasskeyKey, RegistrationResponse, RelyingParty, ResponseFlaw, read_authentication,
    read_registration, write_challenge,
};

use crate::soft_authenticator::{
    Answer, BACKED_UP, CAN_BE_BACKED_UP, PRESENT, SoftAuthenticator, VERIFIED,
};

const KEY: [u8; 32] = [7; 32];
const NOW: Moment = Moment::from_millis(1_795_507_200_000);
const LIFE: Duration = Duration::from_secs(600);
const SITE: &str = "https://auth.example.com";

fn site() -> RelyingParty {
    RelyingParty { origin: Origin::parse(SITE).unwrap(), id: "auth.example.com".to_owned() }
}

fn rule(now: Moment) -> ChallengeRule<'static> {
    ChallengeRule { key: &KEY, purpose: "use", life: LIFE, now }
}

fn challenge() -> String {
    write_challenge(&KEY, "use", NOW)
}

fn register(answer: &Answer) -> Result<NewCredential, ResponseFlaw> {
    let relying_party = site();
    let expected = ExpectedResponse {
        relying_party: &relying_party,
        challenge: rule(NOW),
        needs_verification: true,
    };
    read_registration(&RegistrationResponse::read(&answer.json())?, &expected)
}

fn sign_in_at(
    answer: &Answer,
    key: &PasskeyKey,
    now: Moment,
) -> Result<CredentialUse, ResponseFlaw> {
    let relying_party = site();
    let expected = ExpectedResponse {
        relying_party: &relying_party,
        challenge: rule(now),
        needs_verification: true,
    };
    read_authentication(&AuthenticationResponse::read(&answer.json())?, key, &expected)
}

/// Signs in with a passkey, as it is.
fn sign_in(passkey: &SoftAuthenticator) -> Result<CredentialUse, ResponseFlaw> {
    sign_in_at(&passkey.get(&challenge()), &key_of(passkey), NOW)
}

fn key_of(passkey: &SoftAuthenticator) -> PasskeyKey {
    PasskeyKey::from_cose(&passkey.cose()).unwrap()
}

fn both() -> [SoftAuthenticator; 2] {
    [SoftAuthenticator::es256(SITE), SoftAuthenticator::ed25519(SITE)]
}

#[test]
fn accepts_a_passkey_that_is_made_and_used_on_this_site() {
    for mut passkey in both() {
        let made = register(&passkey.create(&challenge())).ok().unwrap();
        assert_eq!((&made.id, made.key.as_cose()), (&passkey.id, &passkey.cose()[..]));
        assert!(made.is_user_verified && !made.is_backed_up && made.sign_count == 0);
        passkey.sign_count = 7;
        passkey.flags |= CAN_BE_BACKED_UP | BACKED_UP;
        let used = sign_in(&passkey).ok().unwrap();
        assert!(used.is_user_verified && used.is_backed_up && used.sign_count == 7);
        assert!(used.challenge.id != made.challenge.id);
    }
}

#[test]
fn refuses_an_assertion_with_any_bit_flipped_or_any_part_cut_at_any_byte() {
    let mut tried = 0;
    for passkey in both() {
        let (good, key) = (passkey.get(&challenge()), key_of(&passkey));
        assert!(sign_in_at(&good, &key, NOW).is_ok());
        let parts: [fn(&mut Answer) -> &mut Vec<u8>; 3] =
            [|it| &mut it.client_data, |it| &mut it.authenticator_data, |it| &mut it.signature];
        for part in parts {
            let length = part(&mut good.clone()).len();
            for bit in 0..8 * length {
                let mut bad = good.clone();
                part(&mut bad)[bit / 8] ^= 1 << (bit % 8);
                assert!(sign_in_at(&bad, &key, NOW).is_err(), "bit {bit}");
            }
            for cut in 0..length {
                let mut bad = good.clone();
                part(&mut bad).truncate(cut);
                assert!(sign_in_at(&bad, &key, NOW).is_err(), "cut at {cut}");
            }
            tried += 9 * length;
        }
    }
    assert!(tried > 4_500, "{tried}");
}

/// What Chromium has answered: see `about` in the file.
fn recorded() -> Value {
    serde_json::from_str(include_str!("../../data/webauthn/chromium.json")).unwrap()
}

/// The key in a recorded registration, if it is accepted.
fn recorded_key(file: &Value, answer: &Value) -> Result<PasskeyKey, ResponseFlaw> {
    with_recorded_rules(file, |expected| {
        let response = RegistrationResponse::read(&answer["registration"].to_string())?;
        assert_eq!(response.transports, "internal");
        read_registration(&response, expected).map(|it| it.key)
    })
}

fn with_recorded_rules<T>(file: &Value, then: impl Fn(&ExpectedResponse<'_>) -> T) -> T {
    let text = |name: &str| file[name].as_str().unwrap();
    let relying_party = RelyingParty {
        origin: Origin::parse(text("origin")).unwrap(),
        id: text("rp_id").to_owned(),
    };
    let key = data_encoding::HEXLOWER.decode(text("key").as_bytes()).unwrap().try_into().unwrap();
    let now = Moment::from_millis(file["made_at"].as_i64().unwrap());
    let challenge = ChallengeRule { key: &key, purpose: text("purpose"), life: LIFE, now };
    then(&ExpectedResponse { relying_party: &relying_party, challenge, needs_verification: true })
}

/// Several bits of a byte, which no flip of one reaches.
const PATTERNS: [u8; 15] =
    [0x03, 0x05, 0x06, 0x0a, 0x0c, 0x11, 0x18, 0x30, 0x50, 0x55, 0x60, 0xaa, 0xc0, 0xf0, 0xff];

/// Whatever one byte of these can become: each bit flipped, other values, gone, twice, and all that follows cut off.
fn mutations(good: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for at in 0..good.len() {
        let mut with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good.to_vec();
            change(&mut bytes);
            all.push(bytes);
        };
        for bit in 0..8 {
            with(&|it| it[at] ^= 1 << bit);
        }
        for pattern in PATTERNS {
            with(&|it| it[at] ^= pattern);
        }
        with(&|it| {
            it.remove(at);
        });
        with(&|it| it.insert(at, it[at]));
        with(&|it| it.truncate(at));
    }
    all
}

#[test]
fn accepts_what_chromium_has_answered_and_none_of_25_000_mutations_of_it() {
    let (file, mut tried) = (recorded(), 0);
    let answers = file["answers"].as_array().unwrap();
    assert_eq!(answers.len(), 3);
    for answer in answers {
        let name = &answer["name"];
        let key = recorded_key(&file, answer).unwrap_or_else(|flaw| panic!("{name}: {flaw:?}"));
        let good = &answer["authentication"];
        let read = |value: &Value| {
            with_recorded_rules(&file, |expected| {
                let response = AuthenticationResponse::read(&value.to_string())?;
                read_authentication(&response, &key, expected)
            })
        };
        assert!(read(good).is_ok(), "{name}");
        for part in ["clientDataJSON", "authenticatorData", "signature"] {
            let text = good["response"][part].as_str().unwrap();
            let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
            for bad in mutations(&bytes).into_iter().filter(|it| *it != bytes) {
                let mut value = good.clone();
                value["response"][part] = data_encoding::BASE64URL_NOPAD.encode(&bad).into();
                assert!(read(&value).is_err(), "{name} {part} {bad:?}");
                tried += 1;
            }
        }
        let other = &answers[0]["authentication"];
        assert_eq!(read(other).is_ok(), other == good, "the answer of another passkey");
    }
    assert!(tried > 25_000, "{tried}");
}

#[test]
fn refuses_a_challenge_of_another_page_key_or_time() {
    let passkey = SoftAuthenticator::es256(SITE);
    let flaw =
        |challenge: &str, now| sign_in_at(&passkey.get(challenge), &key_of(&passkey), now).err();
    let good = challenge();
    assert_eq!(flaw(&good, NOW.after(LIFE)), None);
    let late = NOW.after(LIFE).after(Duration::from_millis(1));
    assert_eq!(flaw(&good, late), Some(ResponseFlaw::ChallengeExpired));
    let early = NOW.before(Duration::from_secs(301));
    assert_eq!(flaw(&good, early), Some(ResponseFlaw::ChallengeExpired));
    let others = [
        write_challenge(&KEY, "make:user:session", NOW),
        write_challenge(&KEY, "us", NOW),
        write_challenge(&[8; 32], "use", NOW),
        good[1..].to_owned(),
        format!("{good}AAAA"),
        format!("{good}="),
        String::new(),
        "?".to_owned(),
    ];
    let altered = (0..good.len()).map(|at| {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    });
    for other in others.into_iter().chain(altered) {
        assert_eq!(flaw(&other, NOW), Some(ResponseFlaw::Challenge), "{other}");
    }
}

#[test]
fn refuses_what_was_made_on_the_page_of_another_site_or_in_a_frame() {
    for origin in [
        "https://auth.example.com.evil.example",
        "https://auth.example.com:8443",
        "http://auth.example.com",
        "https://AUTH.example.com",
        "https://auth.example.com/",
        "https://example.com",
        "null",
        "",
    ] {
        let mut passkey = SoftAuthenticator::es256(SITE);
        passkey.origin = origin.to_owned();
        assert_eq!(sign_in(&passkey).err(), Some(ResponseFlaw::Origin), "{origin}");
        let made = register(&passkey.create(&challenge()));
        assert_eq!(made.err(), Some(ResponseFlaw::Origin), "{origin}");
    }
    for framed in [
        vec![("crossOrigin", json!(true))],
        vec![("topOrigin", json!("https://evil.example"))],
        vec![("crossOrigin", json!(false)), ("topOrigin", json!(SITE))],
    ] {
        let mut passkey = SoftAuthenticator::es256(SITE);
        passkey.client_data = framed;
        assert_eq!(sign_in(&passkey).err(), Some(ResponseFlaw::Framed));
    }
}

#[test]
fn refuses_a_passkey_of_a_sibling_or_parent_domain() {
    for rp_id in ["wiki.example.com", "example.com", "com", "auth.example.com.", ""] {
        let mut passkey = SoftAuthenticator::es256(SITE);
        passkey.rp_id = rp_id.to_owned();
        assert_eq!(sign_in(&passkey).err(), Some(ResponseFlaw::RelyingParty), "{rp_id}");
        let made = register(&passkey.create(&challenge()));
        assert_eq!(made.err(), Some(ResponseFlaw::RelyingParty), "{rp_id}");
    }
}

#[test]
fn refuses_flags_that_do_not_suffice_or_contradict_each_other() {
    for (flags, flaw) in [
        (VERIFIED, ResponseFlaw::UserAbsent),
        (0, ResponseFlaw::UserAbsent),
        (PRESENT, ResponseFlaw::UserUnverified),
        (PRESENT | VERIFIED | BACKED_UP, ResponseFlaw::Backup),
        // Extensions that are not there; a credential that is not there.
        (PRESENT | VERIFIED | 0x80, ResponseFlaw::AuthenticatorData),
        (PRESENT | VERIFIED | 0x40, ResponseFlaw::AuthenticatorData),
    ] {
        let mut passkey = SoftAuthenticator::es256(SITE);
        passkey.flags = flags;
        assert_eq!(sign_in(&passkey).err(), Some(flaw), "{flags:#x}");
    }
}

#[test]
fn refuses_an_answer_to_the_other_ceremony() {
    let passkey = SoftAuthenticator::es256(SITE);
    let mut made = passkey.create(&challenge());
    made.signature = vec![1];
    let used = sign_in_at(&made, &key_of(&passkey), NOW);
    assert_eq!(used.err(), Some(ResponseFlaw::Ceremony));
    assert_eq!(register(&passkey.get(&challenge())).err(), Some(ResponseFlaw::Ceremony));
}

#[test]
fn refuses_a_credential_whose_id_is_not_the_one_that_it_attests() {
    let passkey = SoftAuthenticator::es256(SITE);
    let mut made = passkey.create(&challenge());
    made.id = b"another".to_vec();
    assert_eq!(register(&made).err(), Some(ResponseFlaw::CredentialId));
    for length in [0, 1024] {
        let mut passkey = SoftAuthenticator::es256(SITE);
        passkey.id = vec![1; length];
        assert_eq!(register(&passkey.create(&challenge())).err(), Some(ResponseFlaw::CredentialId));
    }
    let mut passkey = SoftAuthenticator::es256(SITE);
    passkey.id = vec![1; 1023];
    assert!(register(&passkey.create(&challenge())).is_ok());
}

/// An RSA key as COSE writes it.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let length = u16::try_from(modulus.len()).unwrap().to_be_bytes();
    [&[0xa4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x59][..], &length, modulus, exponent]
        .concat()
}

/// A modulus of so many bits: its first and its last are ones.
fn modulus(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0; bits.div_ceil(8)];
    modulus[0] = 1 << ((bits - 1) % 8);
    *modulus.last_mut().unwrap() |= 1;
    modulus
}

#[test]
fn refuses_keys_of_other_kinds_and_spellings() {
    const E: &[u8] = &[0x21, 0x43, 0x01, 0x00, 0x01];
    let good = SoftAuthenticator::es256(SITE).cose();
    for (bits, exponent, is_accepted) in [
        (2048, E, true),
        (3482, E, true),
        (8192, E, true),
        (2047, E, false),
        (1024, E, false),
        (8193, E, false),
        (2048, &[0x21, 0x41, 0x03][..], false),
    ] {
        let key = PasskeyKey::from_cose(&rsa(&modulus(bits), exponent));
        assert_eq!(key.is_some(), is_accepted, "{bits}");
    }
    let mut even = modulus(2048);
    *even.last_mut().unwrap() = 2;
    let padded = [&[0][..], &modulus(2048)].concat();
    let altered = |at: usize, byte: u8| {
        let mut key = good.clone();
        key[at] = byte;
        key
    };
    let mut compressed = good[..42].to_vec();
    compressed.extend([0x22, 0xf5]);
    let mut long_length = good.clone();
    // The same key with a length of two bytes: not canonical.
    long_length.splice(8..10, [0x59, 0x00, 0x20]);
    for (name, key) in [
        ("even modulus", rsa(&even, E)),
        ("padded modulus", rsa(&padded, E)),
        ("nothing", Vec::new()),
        ("a byte more", [&good[..], &[0]].concat()),
        ("a byte less", good[..good.len() - 1].to_vec()),
        ("off the curve", altered(good.len() - 1, good[good.len() - 1] ^ 1)),
        ("P-384", altered(6, 0x02)),
        ("ES384", [&[0xa5, 0x01, 0x02, 0x03, 0x38, 0x22][..], &good[5..]].concat()),
        ("compressed", compressed),
        ("not canonical", long_length),
        ("the point at infinity", [&good[..10], &[0; 32], &[0x22, 0x58, 0x20], &[0; 32]].concat()),
    ] {
        assert_eq!(PasskeyKey::from_cose(&key), None, "{name}");
        let made = register(&SoftAuthenticator::es256(SITE).create_with_key(&challenge(), &key));
        assert!(made.is_err(), "{name}");
    }
}

#[test]
fn refuses_what_is_not_an_answer_at_all() {
    let good = SoftAuthenticator::es256(SITE).get(&challenge()).json();
    let mut value: Value = serde_json::from_str(&good).unwrap();
    let mut texts = vec![
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "{\"id\":\"AA\"}".to_owned(),
        "{\"id\":\"AA\",\"response\":[]}".to_owned(),
        "[".repeat(200_000),
        format!("{}1{}", "{\"a\":".repeat(2_000), "}".repeat(2_000)),
        format!("{good}{}", " ".repeat(500_000)),
        good.replace("\"id\":\"", "\"id\":\"="),
    ];
    for member in ["clientDataJSON", "authenticatorData", "signature", "userHandle"] {
        for bad in [json!(7), json!("*"), json!(["AA"]), json!("AAA=")] {
            let before = value["response"][member].take();
            value["response"][member] = bad;
            texts.push(value.to_string());
            value["response"][member] = before;
        }
    }
    value["response"]["userHandle"] = json!("A".repeat(88));
    texts.push(value.to_string());
    for text in texts {
        let flaw = AuthenticationResponse::read(&text).err();
        assert_eq!(flaw, Some(ResponseFlaw::Shape), "{}", &text[..text.len().min(200)]);
    }
}

#[test]
fn keeps_the_transports_that_are_registered_and_nothing_else() {
    let mut value: Value =
        serde_json::from_str(&SoftAuthenticator::es256(SITE).create(&challenge()).json()).unwrap();
    let mut kept = |transports: Value| {
        value["response"]["transports"] = transports;
        RegistrationResponse::read(&value.to_string()).ok().unwrap().transports
    };
    assert_eq!(kept(json!(["usb", "internal", "usb"])), "internal,usb");
    assert_eq!(kept(json!(["<script>", "INTERNAL", 7, "a,b"])), "");
    assert_eq!(kept(json!("usb")), "");
    assert_eq!(kept(Value::Null), "");
}

/// How many random inputs each parser is given: `make test` tries a few, and `FUZZ` says how many otherwise.
fn cases() -> u32 {
    std::env::var("FUZZ").map_or(2_000, |it| it.parse().unwrap())
}

/// An answer with some bytes of one part replaced, some removed, and some added.
fn mutated(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..8);
    edits.prop_map(move |edits| {
        let mut bytes = good.clone();
        for (at, byte, kind) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn never_fails_otherwise_than_by_a_refusal_on_any_client_data(
        bytes in mutated(SoftAuthenticator::es256(SITE).get(&challenge()).client_data),
    ) {
        let passkey = SoftAuthenticator::es256(SITE);
        let mut answer = passkey.get(&challenge());
        answer.client_data = bytes;
        prop_assert!(sign_in_at(&answer, &key_of(&passkey), NOW).is_err());
    }

    #[test]
    fn never_fails_otherwise_than_by_a_refusal_on_any_authenticator_data(
        bytes in mutated(SoftAuthenticator::es256(SITE).create(&challenge()).authenticator_data),
    ) {
        let mut answer = SoftAuthenticator::es256(SITE).create(&challenge());
        answer.authenticator_data = bytes;
        // Some of these are well-formed: the make, the count and the key may be anything.
        drop(register(&answer));
    }

    #[test]
    fn never_fails_otherwise_than_by_a_refusal_on_any_key(
        bytes in mutated(SoftAuthenticator::ed25519(SITE).cose()),
        signature in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let key = PasskeyKey::from_cose(&bytes);
        prop_assert!(!key.is_some_and(|it| it.has_signed(b"message", &signature)));
    }

    #[test]
    fn never_fails_otherwise_than_by_a_refusal_on_any_text(
        bytes in mutated(SoftAuthenticator::es256(SITE).get(&challenge()).json().into_bytes()),
    ) {
        let text = String::from_utf8_lossy(&bytes);
        drop(AuthenticationResponse::read(&text));
        drop(RegistrationResponse::read(&text));
    }
}
