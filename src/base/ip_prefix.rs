//! Which addresses count as one client.

use std::net::{IpAddr, Ipv4Addr};

/// What counts as one client: an IPv4 address, or an IPv6 /64, which is what a household gets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ClientPrefix {
    V4(Ipv4Addr),
    /// The first four segments: the /64.
    V6([u16; 4]),
}

impl From<IpAddr> for ClientPrefix {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let segments = address.segments();
                Self::V6(std::array::from_fn(|at| segments[at]))
            }
        }
    }
}

/// What one subscriber is assigned at most: an IPv4 address, or an IPv6 /48 (RFC 6177), which holds 65,536
/// clients.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SubscriberPrefix {
    V4(Ipv4Addr),
    /// The first three segments: the /48.
    V6([u16; 3]),
}

impl From<ClientPrefix> for SubscriberPrefix {
    fn from(client: ClientPrefix) -> Self {
        match client {
            ClientPrefix::V4(address) => Self::V4(address),
            ClientPrefix::V6([one, two, three, _]) => Self::V6([one, two, three]),
        }
    }
}

/// The largest number of clients that [`ClientPrefix::all_of`] lists.
pub const CLIENTS_MAX: u32 = 65_536;

impl ClientPrefix {
    /// Every client in the network of `prefix` bits that contains `address`. `None` if there are more than
    /// [`CLIENTS_MAX`], so an IPv4 network has to be a /16 or smaller, and an IPv6 network a /48.
    pub fn all_of(address: IpAddr, prefix: u8) -> Option<Vec<Self>> {
        // An IPv4-mapped IPv6 address is treated as the IPv4 address.
        let (address, prefix) = match (address, address.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(mapped)) if prefix >= 96 => (mapped.into(), prefix - 96),
            _ => (address, prefix),
        };
        let free_bits = match address {
            IpAddr::V4(_) => 32_u8.saturating_sub(prefix),
            IpAddr::V6(_) => 64_u8.saturating_sub(prefix),
        };
        let count = 1_u32.checked_shl(free_bits.into()).filter(|it| *it <= CLIENTS_MAX)?;
        let clients = match address {
            IpAddr::V4(it) => {
                let first = u32::from(it) & !(count - 1);
                (0..count).map(|at| Self::V4(Ipv4Addr::from(first | at))).collect()
            }
            IpAddr::V6(it) => {
                let [one, two, three, four, ..] = it.segments();
                // At most 16 bits are free, all of them in the last of the four segments.
                let free = u16::try_from(count - 1).expect("it is the largest of 16 bits at most");
                let fourth = |at| (four & !free) | at;
                (0..=free).map(|at| Self::V6([one, two, three, fourth(at)])).collect()
            }
        };
        Some(clients)
    }
}

impl std::fmt::Display for ClientPrefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(half) => {
                half.iter().try_for_each(|segment| write!(f, "{segment:x}:"))?;
                f.write_str(":/64")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_clients_of_a_network_one_by_one() {
        let all = |text: &str, prefix| {
            let all = ClientPrefix::all_of(text.parse().unwrap(), prefix)?;
            let ends = [all.first()?, all.last()?].map(ToString::to_string);
            Some((all.len(), ends))
        };
        let expected = |count, first: &str, last: &str| Some((count, [first.into(), last.into()]));
        assert_eq!(all("192.0.2.9", 32), expected(1, "192.0.2.9", "192.0.2.9"));
        assert_eq!(all("192.0.2.9", 24), expected(256, "192.0.2.0", "192.0.2.255"));
        assert_eq!(all("10.1.2.3", 16), expected(65_536, "10.1.0.0", "10.1.255.255"));
        assert_eq!(all("::ffff:192.0.2.9", 128), expected(1, "192.0.2.9", "192.0.2.9"));
        assert_eq!(all("::ffff:192.0.2.9", 120), expected(256, "192.0.2.0", "192.0.2.255"));
        let one = "2001:db8:1:2::/64";
        for prefix in [64, 128] {
            assert_eq!(all("2001:db8:1:2::9", prefix), expected(1, one, one));
        }
        let (first, last) = ("2001:db8:1:0::/64", "2001:db8:1:ffff::/64");
        assert_eq!(all("2001:db8:1:2::9", 48), expected(65_536, first, last));
        for (wide, prefix) in [("10.0.0.0", 15), ("10.0.0.0", 0), ("2001:db8::", 47), ("::", 0)] {
            assert_eq!(all(wide, prefix), None, "{wide}/{prefix}");
        }
    }

    #[test]
    fn counts_an_ipv4_address_and_an_ipv6_network_as_one_client() {
        let of = |text: &str| ClientPrefix::from(text.parse::<IpAddr>().unwrap());
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        let subscriber = |text: &str| SubscriberPrefix::from(of(text));
        assert_ne!(subscriber("192.0.2.1"), subscriber("192.0.2.2"));
        assert_eq!(subscriber("2001:db8:1:2::1"), subscriber("2001:db8:1:3::1"));
        assert_ne!(subscriber("2001:db8:1:2::1"), subscriber("2001:db8:2:2::1"));
        assert_eq!(of("192.0.2.1").to_string(), "192.0.2.1");
        assert_eq!(of("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
    }
}
