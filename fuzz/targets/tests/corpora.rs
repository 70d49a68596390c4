//! Replays the corpora: what once was new to the fuzzer, and what once failed.

use std::path::Path;

#[test]
fn every_case_of_every_corpus_passes() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    for (name, run) in fuzz_targets::ALL {
        let cases = std::fs::read_dir(corpora.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut count = 0;
        for case in cases {
            let path = case.expect("an entry").path();
            let input = std::fs::read(&path).expect("a case");
            // A panic shows which one it was.
            eprintln!("{}", path.display());
            run(&input);
            count += 1;
        }
        assert!(count > 0, "{name} has no case");
    }
}

#[test]
fn every_target_has_a_program_of_its_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../programs");
    let mut programs: Vec<String> = std::fs::read_dir(folder)
        .expect("the programs")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            path.file_stem().expect("a name").to_string_lossy().replace('_', "-")
        })
        .collect();
    programs.sort();
    assert!(programs.iter().eq(fuzz_targets::ALL.iter().map(|(name, _)| name)), "{programs:?}");
}
