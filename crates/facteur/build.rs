//! Links the program so that it starts quickly: sendmail(1) is run for every message.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |what: &str| std::env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    // A megabyte of relocations is packed into some kilobytes (DT_RELR), which glibc knows since 2.36.
    if target("OS") == "linux" && target("ENV") == "gnu" && target("ARCH") == "x86_64" {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        link_unwinder();
    }
}

/// Links what unwinds the stack into the program, where the compiler has it: one library less to load.
fn link_unwinder() {
    println!("cargo:rerun-if-env-changed=CC");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let asked = std::process::Command::new(compiler).arg("-print-file-name=libgcc_eh.a").output();
    let Ok(Ok(answer)) = asked.map(|output| String::from_utf8(output.stdout)) else { return };
    // A compiler without it repeats the bare name.
    if let Some(directory) = std::path::Path::new(answer.trim()).parent().filter(|path| path.is_absolute()) {
        println!("cargo:rustc-link-search=native={}", directory.display());
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}
