//! Every form in which an admin or an operator may have written where PD is, in one.

use std::net::Ipv6Addr;

/// PD's client port where none is said.
const PORT: &str = "2379";

/// `scheme://host:port`: scheme and port where they are missing, brackets around an IPv6 address, no final dot (no name
/// in a certificate has one), and nothing behind the port.
pub(crate) fn full(address: &str, scheme: &str) -> String {
    let address = address.trim();
    let (scheme, rest) = match address.split_once("://") {
        Some((own, rest)) => (own.to_ascii_lowercase(), rest),
        None => (scheme.to_owned(), address),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.parse::<Ipv6Addr>().is_ok() {
        return format!("{scheme}://[{authority}]:{PORT}");
    }
    // An IPv6 address has colons of its own; its port follows the bracket.
    let ported =
        authority.rsplit_once(':').filter(|(_, port)| !authority.ends_with(']') && port.parse::<u16>().is_ok());
    let (host, port) = ported.unwrap_or((authority, PORT));
    format!("{scheme}://{}:{port}", host.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::full;

    #[test]
    fn every_form_of_an_url() {
        for (written, read) in [
            ("pd", "http://pd:2379"),
            ("pd:2380", "http://pd:2380"),
            (" pd ", "http://pd:2379"),
            ("http://pd", "http://pd:2379"),
            ("HTTPS://pd:2379/", "https://pd:2379"),
            ("https://pd.tidb.svc.az1.local.:2379//", "https://pd.tidb.svc.az1.local:2379"),
            ("pd.tidb.svc.cluster.local.", "http://pd.tidb.svc.cluster.local:2379"),
            ("http://pd:2379/pd/api/v1", "http://pd:2379"),
            ("10.0.0.7", "http://10.0.0.7:2379"),
            ("[fd00::7]", "http://[fd00::7]:2379"),
            ("[fd00::7]:2380", "http://[fd00::7]:2380"),
            ("http://[fd00::7]/", "http://[fd00::7]:2379"),
            ("fd00::7", "http://[fd00::7]:2379"),
        ] {
            assert_eq!(full(written, "http"), read, "{written:?}");
        }
        assert_eq!(full("pd", "https"), "https://pd:2379");
    }
}
