//! A request body in chunked coding (RFC 9112 § 7.1), decoded strictly.
//!
//! Decides where the body ends and what it contains. Pure. Both the content and the overhead of chunking
//! are bounded.

use crate::web::http::{BODY_BYTES_MAX, Problem};

/// The most bytes of framing (chunk sizes, extensions, line breaks): enough for some 3,000 chunks.
const OVERHEAD_BYTES_MAX: usize = 16 * 1024;

/// The longest line of framing: a size, and perhaps an extension, which is ignored.
const LINE_BYTES_MAX: usize = 256;

/// Decodes a body as its bytes arrive.
#[derive(Default)]
pub struct ChunkDecoder {
    body: Vec<u8>,
    step: ChunkStep,
    /// The line that is being read.
    line: Vec<u8>,
    overhead: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum ChunkStep {
    /// In the line with the size of the next chunk.
    #[default]
    Size,
    /// In the data of a chunk, with so many bytes to come.
    Data(usize),
    /// In the line break behind the data.
    Break,
    /// In the line behind the last chunk.
    End,
}

/// How far a body has been decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChunkProgress {
    Partial,
    /// Complete. So many of the bytes that were fed belong to it.
    Whole(usize),
}

impl ChunkDecoder {
    /// Decodes the next bytes. An error if they are malformed or exceed a limit.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<ChunkProgress, Problem> {
        let mut at = 0;
        while at < bytes.len() {
            if let ChunkStep::Data(left) = self.step {
                let take = left.min(bytes.len() - at);
                self.body.extend_from_slice(&bytes[at..at + take]);
                at += take;
                self.step =
                    if take == left { ChunkStep::Break } else { ChunkStep::Data(left - take) };
                continue;
            }
            let byte = bytes[at];
            at += 1;
            self.count(byte)?;
            if byte == b'\n' && self.end_line()? {
                return Ok(ChunkProgress::Whole(at));
            }
        }
        Ok(ChunkProgress::Partial)
    }

    /// The data that was decoded so far.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The memory in use, in bytes.
    pub fn weight(&self) -> usize {
        self.body.capacity() + self.line.capacity()
    }

    fn count(&mut self, byte: u8) -> Result<(), Problem> {
        self.line.push(byte);
        self.overhead += 1;
        if self.line.len() > LINE_BYTES_MAX || self.overhead > OVERHEAD_BYTES_MAX {
            return Err(Problem::Malformed);
        }
        Ok(())
    }

    /// Parses a complete line. `true` if the body ends with it.
    fn end_line(&mut self) -> Result<bool, Problem> {
        let Some(line) = self.line.strip_suffix(b"\r\n") else { return Err(Problem::Malformed) };
        self.step = match self.step {
            ChunkStep::Size => match size(line)? {
                0 => ChunkStep::End,
                length if self.body.len() + length > BODY_BYTES_MAX => {
                    return Err(Problem::TooLarge);
                }
                length => ChunkStep::Data(length),
            },
            ChunkStep::Break if line.is_empty() => ChunkStep::Size,
            // Trailer fields would be here; no client sends any, and they are not supported.
            ChunkStep::End if line.is_empty() => return Ok(true),
            ChunkStep::Break | ChunkStep::End | ChunkStep::Data(_) => {
                return Err(Problem::Malformed);
            }
        };
        self.line.clear();
        Ok(false)
    }
}

/// Parses the size in hex digits, with or without `;` and an extension that looks like a token and a value.
fn size(line: &[u8]) -> Result<usize, Problem> {
    let end = line.iter().position(|&byte| byte == b';').unwrap_or(line.len());
    let (digits, extension) = line.split_at(end);
    let is_plain = |&byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    if digits.is_empty()
        || !digits.iter().all(u8::is_ascii_hexdigit)
        || !extension.iter().all(is_plain)
    {
        return Err(Problem::Malformed);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| Problem::Malformed)?;
    // A number beyond `usize` is too large, not malformed.
    usize::from_str_radix(digits, 16)
        .ok()
        .filter(|&length| length <= BODY_BYTES_MAX)
        .ok_or(Problem::TooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The body, and how many bytes it took.
    fn decode(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Problem> {
        let mut decoder = ChunkDecoder::default();
        Ok(match decoder.feed(bytes)? {
            ChunkProgress::Partial => None,
            ChunkProgress::Whole(length) => Some((decoder.into_body(), length)),
        })
    }

    fn encode(chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for chunk in chunks {
            bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n\r\n");
        bytes
    }

    #[test]
    fn reads_chunks_up_to_the_last_and_no_further() {
        let bytes = b"9\r\nusername=\r\n4;a=\"b\"\r\nanna\r\n0\r\n\r\nGET / HTTP/1.1";
        let (body, length) = decode(bytes).unwrap().unwrap();
        assert_eq!(body, b"username=anna");
        assert_eq!(&bytes[length..], b"GET / HTTP/1.1");
    }

    #[test]
    fn waits_for_what_has_not_come() {
        for part in ["", "4", "4\r", "4\r\n", "4\r\nabc", "4\r\nabcd", "4\r\nabcd\r\n0\r\n"] {
            assert_eq!(decode(part.as_bytes()), Ok(None), "{part:?}");
        }
    }

    #[test]
    fn refuses_what_another_reader_could_cut_elsewhere() {
        for bad in [
            "\r\n",
            "-4\r\nabcd\r\n",
            "+4\r\nabcd\r\n",
            "0x4\r\nabcd\r\n",
            " 4\r\nabcd\r\n",
            "4 \r\nabcd\r\n",
            "4\nabcd\n0\n\n",
            "4\r\nabcde\r\n",
            "4\r\nabc\r\n0\r\n\r\n",
            "4\r\nabcd0\r\n\r\n",
            "4;\x01\r\nabcd\r\n",
            "g\r\n",
            "0\r\nTrailer: x\r\n\r\n",
            "0\r\n\n",
        ] {
            assert_eq!(decode(bad.as_bytes()), Err(Problem::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn has_a_limit_for_what_it_holds_and_for_how_it_is_cut() {
        let all = |chunk: usize| encode(&vec![vec![b'x'; chunk]; BODY_BYTES_MAX / chunk]);
        assert_eq!(decode(&all(1_024)).unwrap().unwrap().0.len(), BODY_BYTES_MAX);
        let mut more = all(1_024);
        more.truncate(more.len() - 5);
        more.extend(b"1\r\nx\r\n0\r\n\r\n");
        assert_eq!(decode(&more), Err(Problem::TooLarge));
        for huge in ["19001\r\n", "ffffffffffffffff\r\n", "fffffffffffffffffffff\r\n"] {
            assert_eq!(decode(huge.as_bytes()), Err(Problem::TooLarge), "{huge}");
        }
        assert_eq!(decode(&all(1)), Err(Problem::Malformed), "a chunk for every byte");
        assert_eq!(decode(&b"1".repeat(300)), Err(Problem::Malformed), "a line without end");
    }

    proptest! {
        #[test]
        fn gives_back_what_was_cut_up_however_it_arrives(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..12),
            cuts in prop::collection::vec(1_usize..50, 0..30),
        ) {
            let bytes = encode(&chunks);
            let mut decoder = ChunkDecoder::default();
            let (mut at, mut whole) = (0_usize, None);
            for cut in cuts.into_iter().chain([usize::MAX]) {
                let end = at.saturating_add(cut).min(bytes.len());
                if let ChunkProgress::Whole(length) = decoder.feed(&bytes[at..end]).unwrap() {
                    whole = Some(at + length);
                    break;
                }
                at = end;
            }
            prop_assert_eq!(whole, Some(bytes.len()));
            prop_assert_eq!(decoder.into_body(), chunks.concat());
        }

        #[test]
        fn survives_any_bytes_within_its_limits(
            bytes in prop::collection::vec(any::<u8>(), 0..400)
        ) {
            let mut decoder = ChunkDecoder::default();
            let _any = decoder.feed(&bytes);
            prop_assert!(decoder.weight() <= 2 * BODY_BYTES_MAX);
        }
    }
}
