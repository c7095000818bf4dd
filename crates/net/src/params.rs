//! Parameters of the wiring: TLS on either side, DNS, sockets.

mod client_tls;
mod server_tls;
mod tls;
mod tlsproxy;

pub use client_tls::{ClientTls, LMTP_TLS};
pub use server_tls::ServerTls;
pub use tls::Tls;
pub use tlsproxy::TLSPROXY;

conf::params! {
    /// Names, answers and sockets.
    pub struct Network {
        /// Whether the name of a client is looked up and checked against its address.
        smtpd_peername_lookup: YesNo = "yes";
        /// The file that says which name servers are asked, as resolv.conf(5) does. A resolver for mail alone, which
        /// caches, validates, and is no stranger to DNS lists, can be named in one of its own.
        resolv_conf: Path = "/etc/resolv.conf", own;
        /// The question, `type:name`, by which DNSSEC validation is recognised; empty turns the test off.
        dnssec_probe: Text = "ns:.",
            no_effect "proof is asked for with every question, and believed when the name server gives it";
        /// Whether negative DNS answers are asked for in a way that survives changes of the C library.
        dns_ncache_ttl_fix_enable: YesNo = "no", no_effect "DNS is asked without the C library";
        /// The size of TCP buffers, in bytes; 0 leaves it to the system.
        tcp_windowsize: Bytes = "0",
            no_effect "the system chooses its windows: see net.ipv4.tcp_rmem and net.ipv4.tcp_window_scaling";
    }
}
