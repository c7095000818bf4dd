//! Why a mailbox did not take a message, and whether waiting may help.

use std::io;

use mail::{Blame, Class, Detail, Refusal};

/// Class and detail of a failure that its error number does not explain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unexplained(pub Class, pub Detail);

impl Unexplained {
    /// 4.2.0: virtual mailboxes and Maildirs.
    pub const LATER: Unexplained = Unexplained(Class::Later, Detail(2, 0));
    /// 5.2.0: local mailboxes and files.
    pub const NEVER: Unexplained = Unexplained(Class::Never, Detail(2, 0));
    /// 5.3.0: a failing write.
    pub const WRITE: Unexplained = Unexplained(Class::Never, Detail(3, 0));
}

/// A failed delivery to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Try again, or give up.
    pub class: Class,
    /// Enhanced status without its class.
    pub detail: Detail,
    /// What went wrong, as logged.
    pub text: String,
    /// Was it a lack of rights (worth a hint to the admin)?
    pub denied: bool,
    /// Did the system refuse to write (the diagnostic of a notice is the system's then)?
    pub writing: bool,
}

impl Failure {
    /// A failure with the status its error number asks for.
    pub fn io(text: impl Into<String>, error: &io::Error, otherwise: Unexplained) -> Failure {
        let (class, detail) = status(error).unwrap_or((otherwise.0, otherwise.1));
        let denied = error.kind() == io::ErrorKind::PermissionDenied;
        let writing = otherwise == Unexplained::WRITE;
        Failure { class, detail, text: format!("{}: {}", text.into(), reason(error)), denied, writing }
    }

    /// A failure without an error number.
    pub fn plain(text: impl Into<String>, kind: Unexplained) -> Failure {
        Failure { class: kind.0, detail: kind.1, text: text.into(), denied: false, writing: false }
    }

    /// The refusal of the recipient, its text behind `what`.
    pub fn refusal(&self, what: &str) -> Refusal {
        let code = if self.class == Class::Later { 51 } else { 54 };
        let mut refusal =
            Refusal::new(self.class, code, self.detail, Blame::Ourselves, format!("{what}{}", self.text));
        refusal.diagnostic = self.writing.then(|| "x-unix; input/output error".to_owned());
        refusal
    }
}

/// Full disks and exhausted tables pass; a file that may not grow does not (mailbox and quota limits).
fn status(error: &io::Error) -> Option<(Class, Detail)> {
    match error.raw_os_error()? {
        libc::EAGAIN | libc::ESTALE | libc::EINTR | libc::EIO => Some((Class::Later, Detail(2, 0))),
        libc::ENOSPC | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::EROFS => {
            Some((Class::Later, Detail(3, 0)))
        }
        libc::EDQUOT | libc::EFBIG => Some((Class::Never, Detail(2, 2))),
        _ => None,
    }
}

/// The system's words for an error, without the number Rust adds.
pub fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_passes_and_a_full_mailbox_does_not() {
        let check = |number| {
            let failure = Failure::io("x", &io::Error::from_raw_os_error(number), Unexplained::WRITE);
            failure.refusal("").status().to_string()
        };
        assert_eq!(check(libc::ENOSPC), "4.3.0");
        assert_eq!(check(libc::EFBIG), "5.2.2");
        assert_eq!(check(libc::EDQUOT), "5.2.2");
        assert_eq!(check(libc::EIO), "4.2.0");
        assert_eq!(check(libc::EPERM), "5.3.0");
    }
}
