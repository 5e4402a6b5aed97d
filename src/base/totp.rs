//! Time-based one-time passwords (RFC 6238), as apps on telephones compute them: secrets, codes, and the address
//! by which a secret is moved into an app.
//!
//! Decides the parameters that every app supports: HMAC-SHA-1, six digits, a new code every thirty seconds. Does
//! not know whose secret it is, which codes have been used, or how often a user may try.

use std::fmt::{self, Display, Formatter};

use data_encoding::{BASE32_NOPAD, Encoding, Specification};
use hmac::{Hmac, KeyInit, Mac};
use icu_normalizer::ComposingNormalizerBorrowed;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;
use url::Url;

use crate::base::clock::Moment;
use crate::base::token::random_bytes;

/// Bytes of a new secret, as RFC 4226 § 4 recommends.
const SECRET_BYTES: usize = 20;

/// The shortest secret that is accepted from elsewhere. RFC 4226 wants 16 bytes, and widespread programs made
/// secrets of 10.
const SECRET_BYTES_MIN: usize = 10;

/// The longest secret that is accepted from elsewhere: HMAC-SHA-1 hashes a longer one first.
const SECRET_BYTES_MAX: usize = 64;

/// How long each code is shown.
const STEP_MILLIS: i64 = 30_000;

/// One more than the largest code of six digits.
const CODES: u32 = 1_000_000;

/// How many steps a code may lie before or after the present one (RFC 6238 § 5.2).
const DRIFT: i64 = 1;

/// How many steps away a code is still looked for, to tell a clock that is wrong by up to ten minutes from a wrong
/// code.
const CLOCK_STEPS: i64 = 20;

/// Bytes of what is typed into the field of a code.
const TYPED_BYTES_MAX: usize = 256;

/// What RFC 3986 does not reserve stays as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The secret that a server and an app share. It has neither `Debug` nor `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Vec<u8>);

impl TotpSecret {
    /// A new secret of 160 bits from the operating system's random source.
    pub fn random() -> Self {
        Self(random_bytes::<SECRET_BYTES>().to_vec())
    }

    /// A secret as it was stored, or made by another program.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TotpFault> {
        let is_good = (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len());
        if is_good { Ok(Self(bytes.to_vec())) } else { Err(TotpFault::Length(bytes.len())) }
    }

    /// A secret from the text that another program shows: an `otpauth:` address, or base32.
    pub fn read(text: &str) -> Result<Self, TotpFault> {
        let text = text.trim();
        let is_address = text.get(..8).is_some_and(|it| it.eq_ignore_ascii_case("otpauth:"));
        if is_address { Self::from_uri(text) } else { Self::from_base32(text) }
    }

    /// A secret in base32 (RFC 4648), in upper or lower case, with or without padding, spaces and hyphens. Bits that
    /// are left over are ignored, as apps do: some programs draw the characters at random.
    pub fn from_base32(text: &str) -> Result<Self, TotpFault> {
        let is_mark = |it: &char| it.is_whitespace() || *it == '-';
        let letters: String = text.chars().filter(|it| !is_mark(it)).collect();
        let letters = letters.trim_end_matches('=').to_ascii_uppercase();
        let bytes = lenient_base32().decode(letters.as_bytes());
        Self::from_bytes(&bytes.map_err(|_| TotpFault::NotBase32)?)
    }

    /// A secret from an `otpauth://totp/` address, as [`TotpSecret::uri`] writes one. Refused if the codes that it
    /// describes are not those that are verified here.
    pub fn from_uri(text: &str) -> Result<Self, TotpFault> {
        let uri = Url::parse(text).map_err(|_| TotpFault::NotTotp)?;
        let kind = uri.host_str().unwrap_or_default();
        if uri.scheme() != "otpauth" || !kind.eq_ignore_ascii_case("totp") {
            return Err(TotpFault::NotTotp);
        }
        let mut secret = None;
        for (name, value) in uri.query_pairs() {
            match &*name.to_ascii_lowercase() {
                "secret" if secret.is_some() => return Err(TotpFault::TwoSecrets),
                "secret" => secret = Some(Self::from_base32(&value)?),
                "algorithm" => expect(&ALGORITHM, &value)?,
                "digits" => expect(&DIGITS, &value)?,
                "period" => expect(&PERIOD, &value)?,
                // Steam's codes are five letters.
                "encoder" => expect(&ENCODER, &value)?,
                _ => {}
            }
        }
        secret.ok_or(TotpFault::NoSecret)
    }

    /// The secret in the clear.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// The secret in base32 without padding, for exports and for addresses.
    pub fn base32(&self) -> String {
        BASE32_NOPAD.encode(&self.0)
    }

    /// The secret in base32 in groups of four characters, for people who type it into an app.
    pub fn in_fours(&self) -> String {
        let text = self.base32();
        let groups = text.as_bytes().chunks(4).map(|it| String::from_utf8_lossy(it));
        groups.collect::<Vec<_>>().join(" ")
    }

    /// The address by which an app takes over the secret: as a link on the telephone, or as a QR code. An app shows
    /// `issuer` and `name` with the codes. Colons are left out of `issuer`, as apps divide the two at the first one.
    pub fn uri(&self, issuer: &str, name: &str) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
        let parts = issuer.split(':').map(str::trim).filter(|it| !it.is_empty());
        let issuer = encoded(&parts.collect::<Vec<_>>().join(" "));
        let (name, secret) = (encoded(name), self.base32());
        format!(
            "otpauth://totp/{issuer}:{name}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
        )
    }

    /// The code that an app shows during this step.
    pub fn code_at(&self, step: TimeStep) -> TotpCode {
        let mac = Hmac::<Sha1>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        let output = mac.chain_update(step.0.to_be_bytes()).finalize().into_bytes();
        // Dynamic truncation (RFC 4226 § 5.3).
        let at = usize::from(output[19] & 15);
        let word = output[at..at + 4].try_into().expect("the last offset is 15, of 20 bytes");
        TotpCode((u32::from_be_bytes(word) & 0x7fff_ffff) % CODES)
    }

    /// Compares a code with those of the present step and the steps around it. The work does not depend on the
    /// result, so the time taken does not tell a used code, which fits, from a wrong one.
    pub fn compare(&self, code: &TotpCode, now: Moment) -> CodeMatch {
        let present = TimeStep::of(now);
        let (mut near, mut far) = (None, None);
        for steps in -CLOCK_STEPS..=CLOCK_STEPS {
            let step = TimeStep(present.0.saturating_add(steps));
            // Two numbers of one machine word are compared in constant time.
            let fits = self.code_at(step).0 == code.0;
            if fits && steps.abs() <= DRIFT {
                // The latest of several: one before it may be used up.
                near = Some(step);
            } else if fits && far.is_none_or(|it: i64| steps.abs() < it.abs()) {
                far = Some(steps);
            }
        }
        match (near, far) {
            (Some(step), _) => CodeMatch::Fits(step),
            (None, Some(steps)) => CodeMatch::WrongClock(steps),
            (None, None) => CodeMatch::Wrong,
        }
    }
}

/// Base32 that ignores the bits that fill up the last character.
fn lenient_base32() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
    specification.check_trailing_bits = false;
    specification.encoding().expect("32 symbols are base32")
}

/// How a code relates to a secret at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CodeMatch {
    /// It is the code of this step, the present one or the one before or after it. Whether it has been used is a
    /// question to the database.
    Fits(TimeStep),
    /// It is the code of a step that lies 2 to 20 steps ahead, or behind if the number is negative: the clock of the
    /// telephone or of the server is wrong. To be refused.
    WrongClock(i64),
    /// It is no code of any step around the present one.
    Wrong,
}

/// The number of a period of thirty seconds, counted from 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TimeStep(i64);

impl TimeStep {
    /// The step in which a moment lies.
    pub const fn of(moment: Moment) -> Self {
        Self(moment.millis().div_euclid(STEP_MILLIS))
    }

    /// A step as it was stored.
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// The number to store.
    pub const fn number(self) -> i64 {
        self.0
    }
}

/// A code of six digits as a user typed it. It has neither `Debug` nor `Display`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TotpCode(u32);

impl TotpCode {
    /// Reads what was typed: white space is dropped, and full-width digits are digits. `None` unless six digits are
    /// left.
    pub fn read(typed: &str) -> Option<Self> {
        if typed.len() > TYPED_BYTES_MAX {
            return None;
        }
        let normal = ComposingNormalizerBorrowed::new_nfkc().normalize(typed);
        let digits: String = normal.chars().filter(|it| !it.is_whitespace()).collect();
        let is_code = digits.len() == 6 && digits.bytes().all(|it| it.is_ascii_digit());
        is_code.then(|| Self(digits.parse().expect("six digits are a number")))
    }

    /// The six digits.
    pub fn reveal(self) -> String {
        format!("{:06}", self.0)
    }
}

/// A parameter of an `otpauth:` address, and the only value that is verified here.
struct Parameter {
    name: &'static str,
    value: &'static str,
}

const ALGORITHM: Parameter = Parameter { name: "algorithm", value: "SHA1" };
const DIGITS: Parameter = Parameter { name: "digits", value: "6" };
const PERIOD: Parameter = Parameter { name: "period", value: "30" };
const ENCODER: Parameter = Parameter { name: "encoder", value: "" };

/// Refuses another value of a parameter. A hyphen, as in `SHA-1`, and case do not matter.
fn expect(parameter: &Parameter, value: &str) -> Result<(), TotpFault> {
    let plain = value.trim().replace('-', "");
    if plain.eq_ignore_ascii_case(parameter.value) {
        return Ok(());
    }
    let is_short = value.len() <= 20 && value.bytes().all(|it| it.is_ascii_graphic());
    let value = if is_short { value } else { "another" };
    let Parameter { name, value: wanted } = *parameter;
    Err(TotpFault::Parameter { name, value: value.to_owned(), wanted })
}

/// Why a secret of another program is refused. It never contains the secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TotpFault {
    /// It is not base32.
    NotBase32,
    /// It has so many bytes.
    Length(usize),
    /// It is no address of time-based codes, as one of `otpauth://hotp/`.
    NotTotp,
    /// The address has no secret.
    NoSecret,
    /// The address has more than one secret.
    TwoSecrets,
    /// The codes have other parameters.
    Parameter {
        /// The name of the parameter.
        name: &'static str,
        /// Its value.
        value: String,
        /// The value that is supported; empty: none.
        wanted: &'static str,
    },
}

impl Display for TotpFault {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBase32 => out.write_str("the secret is not base32 (A to Z and 2 to 7)"),
            Self::Length(bytes) => write!(
                out,
                "the secret has {bytes} bytes; {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} are supported"
            ),
            Self::NotTotp => out.write_str("it is no otpauth://totp/ address"),
            Self::NoSecret => out.write_str("the address has no secret"),
            Self::TwoSecrets => out.write_str("the address has more than one secret"),
            Self::Parameter { name, value, wanted: "" } => {
                write!(out, "the codes have {name} {value}, which is not supported")
            }
            Self::Parameter { name, value, wanted } => {
                write!(out, "the codes have {name} {value}; only {wanted} is supported")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    /// The secret of the vectors in RFC 4226 and RFC 6238.
    fn of_the_rfc() -> TotpSecret {
        TotpSecret::from_bytes(b"12345678901234567890").unwrap()
    }

    fn at_second(second: i64) -> Moment {
        Moment::from_millis(second * 1_000)
    }

    #[test]
    fn computes_the_codes_of_rfc_4226() {
        let expected = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
            "399871", "520489",
        ];
        for (counter, code) in expected.iter().enumerate() {
            let step = TimeStep::from_number(i64::try_from(counter).unwrap());
            assert_eq!(of_the_rfc().code_at(step).reveal(), *code);
        }
    }

    #[test]
    fn computes_the_codes_of_rfc_6238() {
        // Appendix B has eight digits; the last six of them are the code of six.
        for (second, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            let step = TimeStep::of(at_second(second));
            assert_eq!(of_the_rfc().code_at(step).reveal(), code[2..], "at {second}");
        }
    }

    #[test]
    fn counts_steps_of_thirty_seconds_from_1970() {
        for (millis, number) in [(0, 0), (29_999, 0), (30_000, 1), (59_999, 1), (-1, -1)] {
            assert_eq!(TimeStep::of(Moment::from_millis(millis)).number(), number);
        }
    }

    /// A secret whose codes around a moment are all different.
    fn distinct(now: Moment) -> TotpSecret {
        let present = TimeStep::of(now).0;
        let is_distinct = |secret: &TotpSecret| {
            let codes: std::collections::HashSet<_> =
                (present - 30..=present + 30).map(|it| secret.code_at(TimeStep(it)).0).collect();
            codes.len() == 61
        };
        std::iter::repeat_with(TotpSecret::random).find(is_distinct).unwrap()
    }

    #[test]
    fn takes_the_code_of_the_present_step_and_its_neighbours_alone() {
        let now = Moment::from_millis(1_795_507_200_000);
        let (secret, present) = (distinct(now), TimeStep::of(now));
        for steps in -30..=30_i64 {
            let step = TimeStep(present.0 + steps);
            let expected = match steps.abs() {
                0 | 1 => CodeMatch::Fits(step),
                2..=20 => CodeMatch::WrongClock(steps),
                _ => CodeMatch::Wrong,
            };
            assert_eq!(secret.compare(&secret.code_at(step), now), expected, "{steps} steps");
        }
        assert_eq!(TotpSecret::random().compare(&secret.code_at(present), now), CodeMatch::Wrong);
    }

    #[test]
    fn takes_a_code_for_a_step_before_and_after_its_own_and_no_longer() {
        let start = Moment::from_millis(1_795_507_200_000);
        let secret = distinct(start);
        let code = secret.code_at(TimeStep::of(start));
        let (millisecond, step) = (Duration::from_millis(1), Duration::from_secs(30));
        let last = start.after(2 * step).before(millisecond);
        for good in [start.before(step), start, last] {
            assert_eq!(secret.compare(&code, good), CodeMatch::Fits(TimeStep::of(start)));
        }
        let early = start.before(step).before(millisecond);
        assert_eq!(secret.compare(&code, early), CodeMatch::WrongClock(2));
        assert_eq!(secret.compare(&code, start.after(2 * step)), CodeMatch::WrongClock(-2));
    }

    #[test]
    fn compares_at_any_moment_there_is() {
        for millis in [i64::MIN, -1, 0, i64::MAX] {
            let now = Moment::from_millis(millis);
            let code = of_the_rfc().code_at(TimeStep::of(now));
            assert!(matches!(of_the_rfc().compare(&code, now), CodeMatch::Fits(_)));
        }
    }

    #[test]
    fn reads_six_digits_however_they_are_typed() {
        for typed in
            ["012345", "012 345", " 012345\n", "0 1 2 3 4 5", "０１２３４５", "012\u{a0}345"]
        {
            let code = TotpCode::read(typed);
            assert_eq!(code.map(TotpCode::reveal).as_deref(), Some("012345"), "{typed:?}");
        }
        let long = " ".repeat(1_000) + "012345";
        for typed in
            ["", "01234", "0123456", "01234a", "+12345", "-12345", "012-345", "٠١٢٣٤٥", &long]
        {
            assert!(TotpCode::read(typed).is_none(), "{typed:?}");
        }
    }

    #[test]
    fn reads_base32_in_every_form_that_programs_show() {
        let expected = b"12345678901234567890";
        for text in [
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
            "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ",
            " gezd-gnbv-gy3t-qojq-gezd-gnbv-gy3t-qojq\n",
        ] {
            let secret = TotpSecret::read(text).unwrap_or_else(|err| panic!("{text:?}: {err}"));
            assert_eq!(secret.reveal(), expected);
        }
        let padded = TotpSecret::from_base32("GEZDGNBVGY3TQOJQGE======").unwrap();
        assert_eq!(padded.reveal(), b"12345678901");
        assert_eq!(padded.base32(), "GEZDGNBVGY3TQOJQGE");
        // The last character has four bits of no meaning, which are not zero here.
        assert_eq!(TotpSecret::from_base32("GEZDGNBVGY3TQOJQGF").unwrap().reveal(), b"12345678901");
    }

    #[test]
    fn refuses_what_is_no_secret_and_says_why_without_the_secret() {
        for (text, why) in [
            ("", "0 bytes"),
            ("GEZDGNBV", "5 bytes"),
            (&"A".repeat(104), "65 bytes"),
            ("GEZDGNBVGY3TQOJ1", "not base32"),
            ("GEZDGNBVGY3TQOJQG", "not base32"),
            ("GEZD=GNBVGY3TQOJQ", "not base32"),
            ("héllo", "not base32"),
            ("otpauth:", "no otpauth://totp/"),
            ("otpauth://hotp/a?secret=GEZDGNBVGY3TQOJQ", "no otpauth://totp/"),
            ("otpauth://totp/a", "has no secret"),
            ("otpauth://totp/a?secret=", "0 bytes"),
            ("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQ&secret=GEZDGNBVGY3TQOJR", "more than one"),
            (
                "otpauth://totp/a?secret=GEZDGNBVGY3TQOJQ&algorithm=SHA256",
                "algorithm SHA256; only SHA1",
            ),
            ("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQ&digits=8", "digits 8; only 6"),
            ("otpauth://totp/a?period=60&secret=GEZDGNBVGY3TQOJQ", "period 60; only 30"),
            ("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQ&encoder=steam", "encoder steam, which"),
            ("otpauth://totp/a?secret=GEZDGNBVGY3TQOJQ&digits=a%0Ab", "digits another"),
        ] {
            let told = TotpSecret::read(text).err().unwrap_or_else(|| panic!("{text} is taken"));
            let told = told.to_string();
            assert!(told.contains(why) && !told.contains("GEZD"), "{text}: {told}");
        }
    }

    #[test]
    fn reads_the_addresses_that_other_programs_write() {
        for uri in [
            "otpauth://totp/ACME%20Co:john@example.com?secret=GEZDGNBVGY3TQOJQ&issuer=ACME%20Co",
            "OTPAUTH://TOTP/a?SECRET=gezdgnbvgy3tqojq&algorithm=sha-1&digits=6&period=30&image=x",
            " otpauth://totp/?secret=GEZDGNBVGY3TQOJQ%3D%3D\n",
        ] {
            let secret = TotpSecret::read(uri).unwrap_or_else(|err| panic!("{uri}: {err}"));
            assert_eq!(secret.reveal(), b"1234567890");
        }
    }

    #[test]
    fn writes_an_address_in_which_only_its_own_colon_divides() {
        let secret = of_the_rfc();
        assert_eq!(
            secret.uri("auth.example.com", "anna"),
            "otpauth://totp/auth.example.com:anna?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=auth.example.com&algorithm=SHA1&digits=6&period=30"
        );
        let uri = secret.uri("Acme: Sign-in & more", "a&b%c:d/e?f#g 🙂");
        let label =
            "otpauth://totp/Acme%20Sign-in%20%26%20more:a%26b%25c%3Ad%2Fe%3Ff%23g%20%F0%9F%99%82?";
        assert!(uri.starts_with(label), "{uri}");
        assert!(uri.contains("&issuer=Acme%20Sign-in%20%26%20more&"), "{uri}");
    }

    #[test]
    fn shows_the_secret_in_groups_that_can_be_typed() {
        let expected = "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ";
        assert_eq!(of_the_rfc().in_fours(), expected);
        assert_eq!(TotpSecret::random().base32().len(), 32);
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(bytes in prop::collection::vec(any::<u8>(), 10..=64), issuer: String, name: String) {
            let secret = TotpSecret::from_bytes(&bytes).unwrap();
            for text in [secret.base32(), secret.in_fours(), secret.uri(&issuer, &name)] {
                let read = TotpSecret::read(&text).map_err(|it| TestCaseError::fail(it.to_string()))?;
                prop_assert!(read == secret);
            }
        }

        #[test]
        fn panics_at_no_text(text: String) {
            let _ = TotpSecret::read(&text);
            let _ = TotpSecret::from_uri(&text);
            let _ = TotpCode::read(&text);
        }
    }
}
