//! Both programs do what their documentation says, on a Redis of the tests.

use std::process::Command;

use test_servers::KeyPrefix;

fn run(program: &str, keys: &KeyPrefix) -> Vec<String> {
    let output = Command::new(program).arg(keys.url()).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn each_group_sees_each_event() {
    let said = run(env!("CARGO_BIN_EXE_publish-to-many"), &KeyPrefix::create());
    assert_eq!(said, ["mail saw book 1, book 2, book 3", "statistics saw book 1, book 2, book 3"]);
}

#[test]
fn each_task_is_done_once_and_all_workers_have_a_part_in_it() {
    let said = run(env!("CARGO_BIN_EXE_task-queue"), &KeyPrefix::create());
    assert_eq!(said.len(), 3, "{said:?}");
    for (line, workers) in said.iter().zip([1, 2, 4]) {
        let (_, counts) = line.split_once('[').expect("the tasks of each worker");
        let counts: Vec<usize> = counts.split([',', ']', ' ']).filter_map(|count| count.parse().ok()).collect();
        assert_eq!((counts.len(), counts.iter().sum::<usize>()), (workers, 200), "{line}");
        assert!(counts.iter().all(|count| *count > 0), "a worker had nothing to do: {line}");
    }
}
