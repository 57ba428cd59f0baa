//! Which addresses may be reached when someone else names them.
//!
//! A model that is told to look at `http://169.254.169.254/` would read the credentials of the machine it runs on. So an address
//! that was not named by the user is checked: where it is a number, before it is asked; where it is a name, by each address
//! that it resolves to, at the moment of connecting, because a name may resolve otherwise the second time.

use agentscope_core::{Error, ErrorKind, Result};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use url::{Host, Url};

/// Which addresses may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    private: bool,
    /// Where a test has a server of its own.
    #[cfg(test)]
    pub(crate) open_port: Option<u16>,
}

impl Guard {
    /// Public addresses only, over http and https.
    pub fn public() -> Self {
        Self {
            private: false,
            #[cfg(test)]
            open_port: None,
        }
    }

    /// Any address, for programs whose models may reach what they themselves reach.
    pub fn any() -> Self {
        let mut guard = Self::public();
        guard.private = true;
        guard
    }

    /// Whether `url` may be asked, as far as it tells without resolving its name.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if its scheme is neither `http` nor `https`, or its host is a number that is not public.
    pub fn check(&self, url: &Url) -> Result<()> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused(format!(
                "`{}:` addresses are not fetched: only http and https are",
                url.scheme()
            )));
        }
        #[cfg(test)]
        if self.open_port.is_some() && self.open_port == url.port() {
            return Ok(());
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.check_address(address.into()),
            Some(Host::Ipv6(address)) => self.check_address(address.into()),
            Some(Host::Domain(_)) => Ok(()), // checked when it is resolved
            None => Err(refused("an address without a host is not fetched".to_owned())),
        }
    }

    fn check_address(&self, address: IpAddr) -> Result<()> {
        if self.private || is_public(address) {
            return Ok(());
        }
        Err(refused(format!("{address} is not a public address, so it is not fetched")))
    }
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Refused, message)
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = *self;
        Box::pin(async move {
            // The port is put in by who connects.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let (allowed, others): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|address| guard.check_address(address.ip()).is_ok());
            match (allowed.is_empty(), others.first()) {
                (true, Some(other)) => {
                    let message = format!(
                        "`{}` is at {}, which is not a public address, so it is not fetched",
                        name.as_str(),
                        other.ip()
                    );
                    Err(refused(message).into())
                }
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// Whether an address belongs to the public Internet, after the special-purpose registries of IANA (RFC 6890). What carries an
/// IPv4 address within (mapped, NAT64, 6to4, Teredo) is as public as that one.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127, ..] => true,
        [100, 64..=127, ..] => true,                 // carrier-grade NAT
        [169, 254, ..] => true,                      // link-local, and the metadata of clouds
        [172, 16..=31, ..] => true,                  // private
        [192, 0, 0 | 2, _] | [192, 168, ..] => true, // protocols, documentation, private
        [192, 88, 99, _] => true,                    // 6to4 relays
        [198, 18..=19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true, // benchmarks, documentation
        [224..=255, ..] => true,                     // multicast, reserved, broadcast
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let v4 = |high: u16, low: u16| is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => false,
        [0, 0, 0, 0, 0, 0xffff, high, low] => v4(high, low), // mapped
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low), // NAT64
        [0x2002, high, low, ..] => v4(high, low),            // 6to4
        [0x2001, 0, .., high, low] => v4(!high, !low),       // Teredo
        [0x2001, 0x0db8, ..] | [0x2001, 0..=0x01ff, ..] | [0x3fff, 0..=0x0fff, ..] => false, // documentation, protocols
        [0x2000..=0x3fff, ..] => true, // the only range that is routed
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        let special = "0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 \
                       192.168.1.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 255.255.255.255 :: ::1 fe80::1 fc00::1 \
                       fd00:ec2::254 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: 2001:db8::1 \
                       2001:0:0:0:0:0:80ff:fffe ::127.0.0.1 4000::1";
        for address in special.split_whitespace() {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for address in
            "1.1.1.1 8.8.8.8 100.63.0.1 172.32.0.1 192.0.1.1 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808"
                .split(' ')
        {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn numbers_in_disguise_are_seen_through() {
        for url in
            ["http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://[::ffff:7f00:1]/", "http://0/"]
        {
            let error = Guard::public().check(&url.parse().unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{url}");
        }
        assert!(Guard::any().check(&"http://127.1/".parse().unwrap()).is_ok());
        assert!(Guard::any().check(&"file:///etc/passwd".parse().unwrap()).is_err());
    }
}
