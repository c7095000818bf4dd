//! What the machine says: the values Postfix computes instead of printing a constant.

use std::path::PathBuf;

/// Facts about this machine and this process. The caller finds them out; this room does no I/O.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `gethostname(2)`; made fully qualified with `mydomain` when it has no dot.
    pub host_name: String,
    /// `config_directory`.
    pub config_directory: PathBuf,
    /// `process_name`: the program as the log names it, such as `smtpd`.
    pub process_name: String,
    /// `process_id`.
    pub process_id: u32,
    /// `service_name`: first column of master.cf.
    pub service_name: String,
    /// `mynetworks` as computed from the interfaces and `mynetworks_style`.
    pub networks: String,
    /// The user the process runs as; default of `mail_owner` only where none is set.
    pub stress: bool,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            host_name: "localhost".to_owned(),
            config_directory: PathBuf::from("/etc/postfix"),
            process_name: "postfix".to_owned(),
            process_id: 0,
            service_name: String::new(),
            networks: "127.0.0.0/8".to_owned(),
            stress: false,
        }
    }
}

/// The parameters whose default is no constant: Postfix computes it, here from [`Facts`].
pub const COMPUTED: &[&str] =
    &["config_directory", "mydomain", "myhostname", "mynetworks", "process_id", "process_name"];
