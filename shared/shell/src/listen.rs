//! Sockets to listen on. The address of all interfaces, `[::]`, means both families, whatever the machine's settings
//! say, and only IPv4 where there is no IPv6: pods may have either or both.

use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
};

/// Connections that the kernel keeps for us until they are accepted.
const BACKLOG: i32 = 128;

/// Bytes of datagrams that may wait for us, as the kernel counts them: 2 to 3 KiB for one. A thousand planes that dial at once
/// send two each before they hear a word; what is dropped is sent again after a second at the earliest.
const WAITING: usize = 8 * 1024 * 1024;

/// A bound datagram socket.
pub fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = bound(address, Type::DGRAM, Protocol::UDP)?;
    // The machine may allow less (`net.core.rmem_max`), and then gives that.
    if let Err(error) = socket.set_recv_buffer_size(WAITING) {
        tracing::warn!(%error, wanted = WAITING, "receive buffer stays as it is");
    }
    Ok(UdpSocket::from(socket))
}

/// A listening stream socket that does not block.
pub fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(address, Type::STREAM, Protocol::TCP)?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from(socket))
}

fn bound(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    match bind(address, kind, protocol) {
        // No IPv6 on this machine, or none on any interface of it.
        Err(error) if is_everywhere(address) && lacks_family(&error) => {
            bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())), kind, protocol)
        }
        outcome => outcome,
    }
}

fn bind(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if is_everywhere(address) {
        socket.set_only_v6(false)?;
    }
    if kind == Type::STREAM {
        // As the standard library: a restarted process takes its port back at once.
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn is_everywhere(address: SocketAddr) -> bool {
    address.ip() == Ipv6Addr::UNSPECIFIED
}

fn lacks_family(error: &io::Error) -> bool {
    // EAFNOSUPPORT has no kind of its own.
    const EAFNOSUPPORT: i32 = 97;
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everywhere_is_both_families() {
        let listener = tcp("[::]:0".parse().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let ip = listener.accept().unwrap().1.ip().to_canonical();
        assert_eq!(ip, Ipv4Addr::LOCALHOST);
        // Where the machine has IPv6 at all.
        if listener.local_addr().unwrap().is_ipv6() {
            std::net::TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
        }
        let socket = udp("[::]:0".parse().unwrap()).unwrap();
        socket.set_nonblocking(false).unwrap();
        let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        sender.send_to(b"x", (Ipv4Addr::LOCALHOST, socket.local_addr().unwrap().port())).unwrap();
        assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 1);
    }

    #[test]
    fn one_address_is_that_address() {
        let listener = tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(listener.local_addr().unwrap().ip(), Ipv4Addr::LOCALHOST);
        assert!(tcp(listener.local_addr().unwrap()).is_err(), "it is taken");
        // An address of nobody is a mistake, not a missing family.
        assert!(tcp("192.0.2.1:0".parse().unwrap()).is_err());
    }

    #[test]
    fn only_a_missing_family_falls_back() {
        assert!(lacks_family(&io::Error::from_raw_os_error(97)));
        assert!(lacks_family(&io::ErrorKind::AddrNotAvailable.into()));
        assert!(!lacks_family(&io::ErrorKind::AddrInUse.into()));
    }
}
