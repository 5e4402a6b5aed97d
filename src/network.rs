//! Which addresses count as one client.

use std::net::{IpAddr, Ipv4Addr};

/// The part of the network that counts as one client: an IPv4 address, or an IPv6 network of 64
/// bits, as a household has them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Neighbourhood {
    /// One address.
    V4(Ipv4Addr),
    /// The first half of one.
    V6([u16; 4]),
}

impl From<IpAddr> for Neighbourhood {
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

impl std::fmt::Display for Neighbourhood {
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
    fn counts_an_ipv4_address_and_an_ipv6_network_as_one_client() {
        let of = |text: &str| Neighbourhood::from(text.parse::<IpAddr>().unwrap());
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("192.0.2.1").to_string(), "192.0.2.1");
        assert_eq!(of("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
    }
}
