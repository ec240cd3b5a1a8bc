//! The kit's own statements: declared where they are used, and listed here by module.

use crate::statement::Sql;
use crate::{Db, Error};

/// Declares the kit's own statements of a module, and `STATEMENTS`, the list of them.
macro_rules! kit {
    ($($(#[$meta:meta])* $visibility:vis static $name:ident: Sql = $sql:expr;)*) => {
        $($(#[$meta])* $visibility static $name: Sql = $sql;)*

        /// The kit's statements of this module; a test prepares each.
        pub(crate) const STATEMENTS: &[&Sql] = &[$(&$name),*];
    };
}

pub(crate) use kit;

const ALL: &[&[&Sql]] = &[
    crate::archive::STATEMENTS,
    crate::backlog::STATEMENTS,
    crate::commit::STATEMENTS,
    crate::decisions::STATEMENTS,
    crate::held::STATEMENTS,
    crate::idempotency::STATEMENTS,
    crate::inbox::STATEMENTS,
    crate::lifecycle::STATEMENTS,
    crate::outbox::STATEMENTS,
    crate::shards::STATEMENTS,
    crate::sqlite::STATEMENTS,
    crate::subscriptions::STATEMENTS,
    crate::timers::STATEMENTS,
];

impl Db {
    /// Checks the kit's own statements against this database, without running them.
    pub async fn check_kit(&self) -> Result<(), Error> {
        for sql in ALL.iter().copied().flatten() {
            self.check_own(sql).await?;
        }
        let registered = [crate::accounts::STATEMENTS, crate::bindings::STATEMENTS, crate::published_keys::STATEMENTS];
        for statement in registered.into_iter().flatten() {
            self.check(*statement).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    /// A statement that `check_kit` leaves out is prepared by no test.
    #[test]
    fn every_module_that_declares_statements_of_the_kit_is_checked() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let own = fs::read_to_string(folder.join("kit.rs")).unwrap();
        let mut declaring = 0;
        for path in files(&folder) {
            let text = fs::read_to_string(&path).unwrap();
            let loose =
                text.lines().find(|line| line.contains("static ") && line.contains(": Sql ") && !line.starts_with(' '));
            assert_eq!(loose, None, "{} declares a statement outside of `kit!`", path.display());
            if text.lines().any(|line| line == "kit! {" || line == "crate::statements! {") {
                declaring += 1;
                let module = module(path.strip_prefix(&folder).unwrap());
                let listed = format!("crate::{module}::STATEMENTS");
                assert!(own.contains(&listed), "`check_kit` leaves out {}", path.display());
            }
        }
        assert!(declaring > 12, "only {declaring} modules were found");
    }

    /// The module by which a file's statements are known here: an engine hands on those of its files.
    fn module(file: &Path) -> String {
        file.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }
}
