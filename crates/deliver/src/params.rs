//! Parameters of the delivery agents.
//!
//! A list of like things, and long for that reason: one paragraph a parameter.

mod lmtp;
mod local;
mod smtp;
mod tlsrpt;

pub use lmtp::{LMTP, LMTP_NAMES, LmtpClient};
pub use local::LocalAgent;
pub use smtp::{SmtpClient, SmtpSasl, SmtpTimeouts};
pub use tlsrpt::Tlsrpt;

conf::params! {
    /// What all agents share.
    pub struct Agents {
        /// A table that may replace the outcome of a delivery, by its enhanced code and text.
        default_delivery_status_filter: Maps = "";
        /// The rights of deliveries to commands and files that no user asked for.
        default_privs: Text = "nobody";
    }

    /// Mailbox files, shared with other programs.
    pub struct Mailbox {
        /// How mailbox files are locked: `fcntl`, `flock`, `dotlock`, or several in order.
        mailbox_delivery_lock: List = "fcntl, dotlock";
        /// How often a lock is tried for.
        deliver_lock_attempts: Int(1..) = "20";
        /// The pause between two tries, in seconds.
        deliver_lock_delay: Time(1..) = "1s";
        /// After how long a lock file is left over and may be removed, in seconds.
        stale_lock_time: Time(1..) = "500s";
        /// Whether delivery is refused to a mailbox file that the recipient does not own.
        strict_mailbox_ownership: YesNo = "yes";
        /// Whether mailbox files are locked as Sun's mailtool expects, which `dotlock` does too.
        sun_mailtool_compatibility: YesNo = "no",
            no_effect "the mail reader it helps is gone";
    }

    /// Our own mailboxes.
    pub struct StoreAgent {
        /// The mailbox that mail goes to that is marked as spam (`X-Spam-Flag: YES`), with the keyword `$Junk`. It is
        /// made when it is missing. Empty: such mail goes to INBOX as all other.
        spam_mailbox: Text = "", own;
    }

    /// Mailboxes of virtual domains.
    pub struct VirtualAgent {
        /// The directory that the places in `virtual_mailbox_maps` are relative to.
        virtual_mailbox_base: Path = "";
        /// Tables with the user id of each mailbox.
        virtual_uid_maps: Maps = "";
        /// Tables with the group id of each mailbox.
        virtual_gid_maps: Maps = "";
        /// The least user id that mailboxes may have.
        virtual_minimum_uid: Int(1..) = "100";
        /// How big a mailbox file or a Maildir file may become, in bytes; 0 means no limit.
        virtual_mailbox_limit: Bytes = "51200000";
        /// How mailbox files are locked: `fcntl`, `flock`, `dotlock`, or several in order.
        virtual_mailbox_lock: List = "fcntl, dotlock";
        /// A table that may replace the outcome of a delivery.
        virtual_delivery_status_filter: Maps = "$default_delivery_status_filter";
    }

    /// Commands that mail is piped into.
    pub struct PipeAgent {
        /// How long a command may run, in seconds.
        command_time_limit: Time(1..) = "1000s";
        /// A table that may replace the outcome of a delivery.
        pipe_delivery_status_filter: Maps = "$default_delivery_status_filter";
        /// How long a command of this transport may run, in seconds.
        family "<transport>_time_limit": Time = "$command_time_limit";
    }
}
