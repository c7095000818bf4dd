//! What each process gives up, for ever, before it does anything: user id 0, new privileges (no_new_privs), writing
//! outside its directories (Landlock), and system calls it has no use for (seccomp).
//!
//! Where the kernel lacks one of these, the others still hold, and the log says so.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use landlock::{ABI, AccessFs, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, path_beneath_rules};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use crate::rules::Identity;

/// The access rights we know of: those up to Linux 6.2, with truncate.
const KNOWN: ABI = ABI::V3;

/// System calls that a process which meets strangers has no use for; they fail with EPERM.
const DENIED: &[i64] = &[
    // Programs, and other processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    // Identities.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // File systems and name spaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_open_by_handle_at,
    // Large parts of the kernel.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
];

/// System calls that the process of logins has no use for, besides: its user has other processes.
const DENIED_TO_LOGINS: &[i64] = &[
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
];

/// The worker's: `who` is mail_owner, `writable` its directories. It is in the groups that an administrator has added
/// mail_owner to, so that sockets of neighbours are within its reach. Says what the kernel could not promise.
///
/// # Errors
/// Root could not be given up: the process must end.
pub fn worker(who: Identity, writable: &[PathBuf]) -> io::Result<Vec<String>> {
    confine(who, &groups(who), writable, None, &[])
}

/// That of the process which takes logins: it reads only beneath `readable`, so that no mailbox is within its reach.
///
/// # Errors
/// As for [`worker`].
pub fn logins(who: Identity, readable: &[PathBuf], writable: &[PathBuf]) -> io::Result<Vec<String>> {
    confine(who, &[], writable, Some(readable), DENIED_TO_LOGINS)
}

/// The groups a user was added to; none for one that has no name.
fn groups(who: Identity) -> Vec<u32> {
    let user = nix::unistd::User::from_uid(Uid::from_raw(who.uid)).ok().flatten();
    let name = user.and_then(|user| std::ffi::CString::new(user.name).ok());
    let groups = name.and_then(|name| nix::unistd::getgrouplist(&name, Gid::from_raw(who.gid)).ok());
    groups.unwrap_or_default().into_iter().map(Gid::as_raw).filter(|gid| *gid != who.gid).collect()
}

fn confine(
    who: Identity,
    groups: &[u32],
    writable: &[PathBuf],
    readable: Option<&[PathBuf]>,
    denied: &[i64],
) -> io::Result<Vec<String>> {
    become_user(who, groups, None)?;
    nix::sys::prctl::set_no_new_privs()?;
    let mut missing = Vec::new();
    if let Err(why) = landlock(writable, readable) {
        missing.push(format!("Landlock: {why}"));
    }
    if let Err(error) = seccomp(denied) {
        missing.push(format!("seccomp: {error}"));
    }
    Ok(missing)
}

/// A deliverer's: it acts for a user, and may do what the user may. The exception with user id 0 writes mail spools
/// that only root may write.
///
/// # Errors
/// As for [`worker`].
pub fn deliverer(who: Identity, root: Option<&Path>) -> io::Result<()> {
    if who.uid != 0 {
        return become_user(who, &[], root);
    }
    nix::unistd::setgroups(&[])?;
    nix::sys::prctl::set_no_new_privs()?;
    seccomp(&[]).map_err(io::Error::other)
}

/// The keeper's: it has all mailboxes of one user, who is a member of `groups`, meets strangers, and runs no program.
///
/// # Errors
/// As for [`worker`].
pub fn keeper(who: Identity, groups: &[u32]) -> io::Result<()> {
    become_user(who, groups, None)?;
    nix::sys::prctl::set_no_new_privs()?;
    seccomp(&[]).map_err(io::Error::other)
}

fn become_user(who: Identity, groups: &[u32], root: Option<&Path>) -> io::Result<()> {
    if who.uid == 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "user id 0"));
    }
    if let Some(root) = root {
        nix::unistd::chroot(root)?;
        nix::unistd::chdir("/")?;
    }
    let (uid, gid) = (Uid::from_raw(who.uid), Gid::from_raw(who.gid));
    let groups = groups.iter().filter(|group| **group != 0).map(|group| Gid::from_raw(*group));
    nix::unistd::setgroups(&std::iter::once(gid).chain(groups).collect::<Vec<_>>())?;
    nix::unistd::setresgid(gid, gid, gid)?;
    nix::unistd::setresuid(uid, uid, uid)?;
    if nix::unistd::setuid(Uid::from_raw(0)).is_ok() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "user id 0 came back"));
    }
    Ok(())
}

/// The calling process ends with its parent. To be called after the user id was changed, which resets it.
pub(crate) fn end_with(parent: nix::unistd::Pid) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    // It may have gone before we asked.
    if nix::unistd::getppid() == parent { Ok(()) } else { Err(io::Error::other("the root process is gone")) }
}

/// Writing only beneath some directories, reading only beneath others where such are given, running programs nowhere.
fn landlock(writable: &[PathBuf], readable: Option<&[PathBuf]>) -> Result<(), String> {
    let (write, read) = (AccessFs::from_write(KNOWN), AccessFs::ReadFile | AccessFs::ReadDir);
    let handled = if readable.is_some() { write | read } else { write };
    let null = [Path::new("/dev/null")];
    let may_write = path_beneath_rules(writable.iter().map(PathBuf::as_path).chain(null), handled);
    let may_read = path_beneath_rules(readable.unwrap_or_default(), read & handled);
    let status = Ruleset::default()
        .handle_access(handled | AccessFs::Execute)
        .and_then(Ruleset::create)
        .and_then(|ruleset| ruleset.add_rules(may_write))
        .and_then(|ruleset| if readable.is_some() { ruleset.add_rules(may_read) } else { Ok(ruleset) })
        .and_then(|ruleset| ruleset.restrict_self())
        .map_err(|error| error.to_string())?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err("this kernel does not have it".to_owned()),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}

fn seccomp(more: &[i64]) -> Result<(), seccompiler::Error> {
    let rules: BTreeMap<_, _> = DENIED.iter().chain(more).map(|call| (*call, Vec::new())).collect();
    let eperm = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let architecture = std::env::consts::ARCH.try_into()?;
    let program: BpfProgram =
        SeccompFilter::new(rules, SeccompAction::Allow, eperm, architecture)?.try_into()?;
    seccompiler::apply_filter(&program)
}
