//! libpam, looked for when it is first needed, in the process that lives for one check.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

use libloading::{Library, Symbol};

use super::Job;
use crate::Fields;
use crate::databases::Checked;

/// `struct pam_message`.
#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

/// `struct pam_response`.
#[repr(C)]
struct Response {
    text: *mut c_char,
    code: c_int,
}

/// `struct pam_conv`.
#[repr(C)]
struct Conversation {
    talk: extern "C" fn(c_int, *const *const Message, *mut *mut Response, *mut c_void) -> c_int,
    data: *mut c_void,
}

type Start =
    unsafe extern "C" fn(*const c_char, *const c_char, *const Conversation, *mut *mut c_void) -> c_int;
type SetItem = unsafe extern "C" fn(*mut c_void, c_int, *const c_void) -> c_int;
type GetItem = unsafe extern "C" fn(*const c_void, c_int, *mut *const c_void) -> c_int;
type Step = unsafe extern "C" fn(*mut c_void, c_int) -> c_int;
type Text = unsafe extern "C" fn(*mut c_void, c_int) -> *const c_char;

// <security/_pam_types.h> of Linux-PAM.
const SUCCESS: c_int = 0;
const BUFFER_ERROR: c_int = 5;
const USER_UNKNOWN: c_int = 10;
const MAXTRIES: c_int = 11;
const AUTH_ERROR: c_int = 7;
const NEW_AUTHTOK: c_int = 12;
const ACCOUNT_EXPIRED: c_int = 13;
const PERMISSION_DENIED: c_int = 6;
const CONVERSATION_ERROR: c_int = 19;
const ECHO_OFF: c_int = 1;
const ECHO_ON: c_int = 2;
const ITEM_USER: c_int = 2;
const ITEM_TTY: c_int = 3;
const ITEM_RHOST: c_int = 4;

/// What a conversation answers with.
struct Secrets {
    user: CString,
    password: CString,
}

/// Asks for a password: the password; for a name: the name.
extern "C" fn talk(
    count: c_int,
    messages: *const *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    let Ok(count) = usize::try_from(count) else { return CONVERSATION_ERROR };
    if count == 0 || count > 32 || messages.is_null() || responses.is_null() || data.is_null() {
        return CONVERSATION_ERROR;
    }
    // SAFETY: calloc gives zeroed memory for `count` responses or NULL, and libpam frees it.
    let out = unsafe { libc::calloc(count, size_of::<Response>()) }.cast::<Response>();
    if out.is_null() {
        return BUFFER_ERROR;
    }
    // SAFETY: `data` is the Secrets that `check` keeps alive until pam_end.
    let secrets = unsafe { &*data.cast::<Secrets>() };
    for n in 0..count {
        // SAFETY: Linux-PAM gives an array of `count` pointers to messages that live during this call.
        let style = unsafe { (**messages.add(n)).style };
        let answer = match style {
            ECHO_OFF => &secrets.password,
            ECHO_ON => &secrets.user,
            _ => continue,
        };
        // SAFETY: `answer` ends with NUL, `out` has room for `count` responses; libpam frees the copy.
        unsafe { (*out.add(n)).text = libc::strdup(answer.as_ptr()) };
    }
    // SAFETY: `responses` was checked, and points to where libpam wants the array.
    unsafe { *responses = out };
    SUCCESS
}

/// Is the password right, and may the account be used?
pub fn check(job: &Job) -> Result<Checked, String> {
    // SAFETY: libpam's initialisers have no effect on the rest of the program.
    let library = unsafe { Library::new("libpam.so.0") }
        .map_err(|_| "libpam.so.0 is not installed (Debian's package libpam0g)".to_owned())?;
    let missing = |error: libloading::Error| format!("libpam.so.0: {error}");
    // SAFETY: Linux-PAM declares these functions with these types.
    let (start, set_item, get_item, authenticate, account, end, text) = unsafe {
        let start: Symbol<'_, Start> = library.get(b"pam_start\0").map_err(missing)?;
        let set_item: Symbol<'_, SetItem> = library.get(b"pam_set_item\0").map_err(missing)?;
        let get_item: Symbol<'_, GetItem> = library.get(b"pam_get_item\0").map_err(missing)?;
        let authenticate: Symbol<'_, Step> = library.get(b"pam_authenticate\0").map_err(missing)?;
        let account: Symbol<'_, Step> = library.get(b"pam_acct_mgmt\0").map_err(missing)?;
        let end: Symbol<'_, Step> = library.get(b"pam_end\0").map_err(missing)?;
        let text: Symbol<'_, Text> = library.get(b"pam_strerror\0").map_err(missing)?;
        (start, set_item, get_item, authenticate, account, end, text)
    };
    let string = |text: &str| CString::new(text).map_err(|_| "NUL in a name".to_owned());
    let (service, user, remote) = (string(&job.service)?, string(&job.user)?, string(&job.remote)?);
    let secrets = Secrets { user: user.clone(), password: string(job.password.text())? };
    let conversation = Conversation { talk, data: ptr::from_ref(&secrets).cast_mut().cast() };
    let mut handle = ptr::null_mut();
    // SAFETY: the strings end with NUL; they, `conversation` and `secrets` live until pam_end.
    let begun = unsafe { start(service.as_ptr(), user.as_ptr(), &raw const conversation, &raw mut handle) };
    if begun != SUCCESS || handle.is_null() {
        return Err(format!("pam_start failed with {begun}"));
    }
    // SAFETY: `handle` is what pam_start gave and is ended once, below; libpam copies the items.
    let (status, name, why) = unsafe {
        if !remote.is_empty() {
            set_item(handle, ITEM_RHOST, remote.as_ptr().cast());
        }
        set_item(handle, ITEM_TTY, c"facteur".as_ptr().cast());
        let mut status = authenticate(handle, 0);
        if status == SUCCESS {
            status = account(handle, 0);
        }
        let mut item = ptr::null();
        let mut name = None;
        if status == SUCCESS && get_item(handle, ITEM_USER, &raw mut item) == SUCCESS && !item.is_null() {
            name = CStr::from_ptr(item.cast()).to_str().ok().map(str::to_owned);
        }
        let why = text(handle, status);
        let why =
            if why.is_null() { String::new() } else { CStr::from_ptr(why).to_string_lossy().into_owned() };
        end(handle, status);
        (status, name, why)
    };
    match status {
        SUCCESS => Ok(Checked::Right(name.map(|name| ("user", name)).into_iter().collect::<Fields>())),
        AUTH_ERROR | PERMISSION_DENIED | MAXTRIES => Ok(Checked::Wrong),
        USER_UNKNOWN => Ok(Checked::Unknown),
        ACCOUNT_EXPIRED => Ok(Checked::Disabled),
        NEW_AUTHTOK => Ok(Checked::Expired),
        _ => Err(format!("PAM: {why}")),
    }
}
