//! What the machine says: the values Postfix computes instead of printing a constant.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

/// Facts about this machine and this process. The caller finds them out; this room does not ask the system.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `gethostname(2)`, the default of `myhostname`; completed with `mydomain` when it has no dot.
    pub host_name: String,
    /// The addresses of this machine, from which the default of `mynetworks` is worked out.
    pub interfaces: Vec<Interface>,
    /// `config_directory`.
    pub config_directory: PathBuf,
    /// `process_name`: the program as the log names it, such as `smtpd`. A service's view has its command here.
    pub process_name: String,
    /// `process_id`.
    pub process_id: u32,
}

/// An address of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Address.
    pub address: IpAddr,
    /// Length of its network's prefix in bits.
    pub prefix: u8,
}

impl Default for Facts {
    /// A machine of which only the loopback address is known.
    fn default() -> Self {
        Self {
            host_name: "localhost".to_owned(),
            interfaces: vec![Interface { address: IpAddr::V4(Ipv4Addr::LOCALHOST), prefix: 8 }],
            config_directory: PathBuf::from("/etc/postfix"),
            process_name: "postfix".to_owned(),
            process_id: 0,
        }
    }
}

/// The parameters whose default is no constant: Postfix computes it, here from [`Facts`].
pub const COMPUTED: &[&str] =
    &["config_directory", "mydomain", "myhostname", "mynetworks", "process_id", "process_name"];
