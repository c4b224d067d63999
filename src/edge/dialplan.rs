//! Settings → the address at which Asterisk finds us, for the include files.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use crate::{
    logic::dialplan::{Address, Place},
    settings::Settings,
};

/// Where Perezvon answers. An address that stands for all of this machine's becomes the one from which Asterisk's
/// host in `[agi] allow` is reached; without such a host Asterisk is on this machine.
pub fn place(settings: &Settings) -> Place {
    let asterisk = settings.agi.allow.iter().find(|host| !host.is_loopback()).copied();
    let seen = |listen: SocketAddr| {
        let host = match listen.ip() {
            ip if !ip.is_unspecified() => ip,
            _ => asterisk.and_then(way_to).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        };
        Address { host: host.to_string(), port: listen.port() }
    };
    Place { agi: seen(settings.agi.listen), http: seen(settings.http.listen) }
}

/// This machine's address on the way to another; asks the routing table, sends nothing.
fn way_to(other: IpAddr) -> Option<IpAddr> {
    let any: SocketAddr =
        if other.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0, 0, 0, 0, 0, 0, 0, 0], 0).into() };
    let socket = UdpSocket::bind(any).ok()?;
    // The port does not matter: UDP connects without a word.
    socket.connect(SocketAddr::new(other, 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(agi: &str, http: &str, allow: &[&str]) -> (String, String) {
        let mut settings = Settings::default();
        settings.agi.listen = agi.parse().unwrap();
        settings.http.listen = http.parse().unwrap();
        settings.agi.allow = allow.iter().map(|host| host.parse().unwrap()).collect();
        let place = place(&settings);
        (place.agi.host, place.http.host)
    }

    #[test]
    fn asterisk_on_this_machine_finds_us_on_loopback() {
        let local = ("127.0.0.1".to_owned(), "127.0.0.1".to_owned());
        assert_eq!(hosts("127.0.0.1:4573", "0.0.0.0:8573", &[]), local);
        assert_eq!(hosts("0.0.0.0:4573", "[::]:8573", &["127.0.0.1"]), local);
    }

    #[test]
    fn an_address_of_its_own_is_kept() {
        let wanted = ("10.1.2.3".to_owned(), "10.1.2.4".to_owned());
        assert_eq!(hosts("10.1.2.3:4573", "10.1.2.4:80", &["10.1.2.9"]), wanted);
    }

    #[test]
    fn the_way_to_another_machine_begins_at_one_of_our_addresses() {
        assert_eq!(way_to(IpAddr::V4(Ipv4Addr::LOCALHOST)), Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        // Without a network there is no way, and no address.
        assert_ne!(way_to([192, 0, 2, 1].into()), Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    }
}
