//! Other people's content filters, as sites have them: amavisd-new with SpamAssassin and clamd, opendmarc, rspamd, an
//! ICAP server; and what a large message costs on its way through them.

mod amavis;
mod clamd;
mod daemon;
mod icap;
mod large;
mod milter;
mod opendmarc;
mod pipe;
mod pyzor;
mod quarantine;
mod rspamd;

use testbed::{Instance, Reply, Site};

use daemon::{Folder, start, start_at};

/// In two halves, so that nobody's scanner takes this file for what it is about.
pub const EICAR: [&str; 2] = [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR", "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"];

/// The same for rspamd and SpamAssassin.
const GTUBE: [&str; 2] = ["XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI", "-UBE-TEST-EMAIL*C.34X"];

/// A site to which 127.0.0.1 is a stranger.
fn site() -> Site {
    Site::new("mx.test").set("mynetworks", "192.0.2.0/24")
}

/// A message from a stranger, with this text.
fn message(subject: &str, text: &str) -> String {
    format!(
        "From: joe@far.test\nTo: bob@box.test\nSubject: {subject}\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n\
         Message-ID: <{subject}@far.test>\n\n{text}\n"
    )
}

/// The reply to such a message.
fn offered(mx: &Instance, content: &str) -> Reply {
    mx.client().deliver("joe@far.test", &["bob@box.test"], content)
}
