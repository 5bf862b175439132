//! Writes the seeds, which are kept as text, into the corpora that cargo-fuzz reads.

#[path = "../checks/seeds.rs"]
mod seeds;

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    for (target, text) in [
        ("dlt645", seeds::DLT645),
        ("dlt698", seeds::DLT698),
        ("batch", seeds::BATCH),
    ] {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(target);
        fs::create_dir_all(&corpus)?;
        for (number, octets) in seeds::octets(text).iter().enumerate() {
            fs::write(corpus.join(format!("seed-{number:03}")), octets)?;
        }
    }
    Ok(())
}
