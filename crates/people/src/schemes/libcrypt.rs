//! The C library's crypt(3), looked for when a hash first needs it.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::OnceLock;

use libloading::{Library, Symbol};

use super::same;

/// `char *crypt_rn(const char *phrase, const char *setting, void *data, int size)`, which is safe in threads and
/// gives NULL where it fails.
type CryptRn = unsafe extern "C" fn(*const c_char, *const c_char, *mut c_void, c_int) -> *mut c_char;

/// libxcrypt's `struct crypt_data` has 32768 bytes.
const DATA: usize = 32_768;

static LIBRARY: OnceLock<Option<Library>> = OnceLock::new();

fn library() -> Option<&'static Library> {
    let open = || {
        ["libcrypt.so.1", "libcrypt.so.2"].iter().find_map(|name| {
            // SAFETY: libcrypt's initialisers have no effect on the rest of the program.
            unsafe { Library::new(*name) }.ok()
        })
    };
    LIBRARY.get_or_init(open).as_ref()
}

/// Is this the password of a hash that only the C library can check?
pub fn verify(password: &[u8], setting: &str) -> Result<bool, String> {
    let library = library()
        .ok_or("the stored password is of a kind that needs libcrypt.so.1, which is not installed")?;
    // SAFETY: libxcrypt declares crypt_rn with this type.
    let crypt: Symbol<'_, CryptRn> = unsafe { library.get(b"crypt_rn\0") }
        .map_err(|_| "the stored password is of a kind that needs libxcrypt, which is not installed")?;
    let (Ok(password), Ok(setting)) = (CString::new(password), CString::new(setting)) else {
        return Ok(false);
    };
    // As u64 for the alignment a C struct may want.
    let mut data = vec![0u64; DATA / 8];
    let size = c_int::try_from(DATA).expect("it is small");
    // SAFETY: both strings end with NUL, `data` has the size given, and all outlive the call.
    let hash = unsafe { crypt(password.as_ptr(), setting.as_ptr(), data.as_mut_ptr().cast(), size) };
    if hash.is_null() {
        return Err("the stored password is of a kind that crypt(3) does not know".to_owned());
    }
    // SAFETY: crypt_rn returns a string that ends with NUL inside `data`, which is alive.
    let hash = unsafe { CStr::from_ptr(hash) };
    Ok(same(hash.to_bytes(), setting.as_bytes()))
}
