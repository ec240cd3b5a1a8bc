//! Compresses the files of the web pages into the program.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::{Compression, write::GzEncoder};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=ui");
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("Cargo sets it")).join("ui");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets it"));
    let mut files = BTreeMap::new();
    read(&root, &root, &mut files)?;
    let (mut list, mut bytes) = (String::new(), 0);
    for (number, (path, content)) in files.iter().enumerate() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content)?;
        let name = format!("/{number}.gz");
        fs::write(out.join(&name[1..]), encoder.finish()?)?;
        bytes += content.len();
        writeln!(
            list,
            "    File {{ path: {path:?}, gzip: include_bytes!(concat!(env!(\"OUT_DIR\"), {name:?})), etag: \"\\\"{:016x}\\\"\" }},",
            fnv1a(content)
        )
        .expect("a text takes all that is written to it");
    }
    let source = format!(
        "/// All files.\nstatic FILES: &[File] = &[\n{list}];\n\n\
         /// Their bytes before they were compressed.\n#[cfg(test)]\nconst BYTES: usize = {} * 1_000 + {};\n",
        bytes / 1_000,
        bytes % 1_000
    );
    fs::write(out.join("files.rs"), source)
}

fn read(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root).expect("it is in the folder").to_string_lossy().replace('\\', "/");
            files.insert(name, fs::read(&path)?);
        }
    }
    Ok(())
}

/// FNV-1a, 64 bits.
fn fnv1a(content: &[u8]) -> u64 {
    content.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
