//! Options of the linker, and the documents in the program.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Options of a linker that make a program more than 2 MB smaller: relative relocations are packed, and functions with the same code are
/// kept once. Not every linker knows them.
const SMALLER: [&str; 2] = ["-Wl,-z,pack-relative-relocs", "-Wl,--icf=all"];

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets it"));
    println!("cargo::rerun-if-changed=build.rs");
    for name in ["asyncapi.json", "openapi.json"] {
        let document = format!("../docs/{name}");
        println!("cargo::rerun-if-changed={document}");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&fs::read(document)?)?;
        fs::write(out.join(format!("{name}.gz")), encoder.finish()?)?;
    }
    if env::var_os("PROFILE").is_some_and(|profile| profile == "release") {
        for option in SMALLER.into_iter().filter(|option| is_known(option, &out)) {
            println!("cargo::rustc-link-arg-bins={option}");
        }
    }
    Ok(())
}

/// True if a program can be linked with this option.
fn is_known(option: &str, out: &Path) -> bool {
    let (source, program) = (out.join("probe.rs"), out.join("probe"));
    let Ok(()) = fs::write(&source, "fn main() {}") else { return false };
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.arg(&source).arg("-o").arg(program).args(["-C", &format!("link-arg={option}")]);
    rustc.arg("--target").arg(env::var_os("TARGET").expect("Cargo sets it"));
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={}", linker.display()));
    }
    rustc.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
