//! A call of the provider that moves money, once: an answer that was lost is looked up, and the call is repeated, under
//! the same key, only where the provider knows of nothing under it.

use futures_util::future::BoxFuture;

use crate::domain::Decided;
use crate::provider::{Unknown, answer_of};

/// The decision of the provider. `attempts` counts those since the money was to be moved, this one included.
/// `is_overdue`: too much time has passed to begin.
pub(crate) async fn ask_once<'a, T>(
    attempts: i64,
    is_overdue: bool,
    look_up: impl Fn() -> BoxFuture<'a, Result<Option<T>, Unknown>>,
    call: impl FnOnce() -> BoxFuture<'a, Result<T, Unknown>>,
) -> Result<Decided<T>, Unknown> {
    let found = |answer| Decided { answer: Some(answer), looked_up: true };
    let answered = |answer| Decided { answer, looked_up: false };

    if attempts > 1 {
        if let Some(answer) = answer_of(look_up()).await? {
            return Ok(found(answer));
        }
        if is_overdue {
            return Ok(answered(None));
        }
    }
    match answer_of(call()).await {
        Ok(answer) => Ok(answered(Some(answer))),
        // Not found now doesn't mean never: the call may still be in flight, so the next attempt asks again.
        Err(lost) => answer_of(look_up()).await?.map(found).ok_or(lost),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::future::{FutureExt, ready};

    use super::*;

    /// Answer of the provider: money was moved, or that was refused.
    type Said = &'static str;

    struct Case {
        name: &'static str,
        attempts: i64,
        is_overdue: bool,
        call: Result<Said, Unknown>,
        look_up: Result<Option<Said>, Unknown>,
        asked: &'static [&'static str],
        decided: Option<Decided<Said>>,
    }

    fn cases() -> Vec<Case> {
        let silence = || Unknown("silence".to_owned());
        let case = |name, (attempts, is_overdue), call, look_up, asked, decided| Case {
            name,
            attempts,
            is_overdue,
            call,
            look_up,
            asked,
            decided,
        };
        let answered = |said| Some(Decided { answer: Some(said), looked_up: false });
        let found = |said| Some(Decided { answer: Some(said), looked_up: true });
        let abandoned = Some(Decided { answer: None, looked_up: false });
        vec![
            case("the first attempt asks", (1, false), Ok("moved"), Ok(None), &["call"], answered("moved")),
            case("a refusal is an answer", (1, false), Ok("refused"), Ok(None), &["call"], answered("refused")),
            case(
                "a lost answer is looked up",
                (1, false),
                Err(silence()),
                Ok(Some("moved")),
                &["call", "look up"],
                found("moved"),
            ),
            case(
                "what isn't found yet is not repeated at once",
                (1, false),
                Err(silence()),
                Ok(None),
                &["call", "look up"],
                None,
            ),
            case(
                "a later attempt looks first and repeats nothing",
                (2, false),
                Ok("moved"),
                Ok(Some("refused")),
                &["look up"],
                found("refused"),
            ),
            case(
                "what never happened is done",
                (2, false),
                Ok("moved"),
                Ok(None),
                &["look up", "call"],
                answered("moved"),
            ),
            case("without a look-up nothing is repeated", (2, false), Ok("moved"), Err(silence()), &["look up"], None),
            case("in the end it is abandoned", (90, true), Ok("moved"), Ok(None), &["look up"], abandoned),
            case("but never without a look-up", (90, true), Ok("moved"), Err(silence()), &["look up"], None),
            case("nor when it was done", (90, true), Ok("moved"), Ok(Some("moved")), &["look up"], found("moved")),
            case("nor before it was asked for", (1, true), Ok("moved"), Ok(None), &["call"], answered("moved")),
        ]
    }

    #[tokio::test]
    async fn money_is_never_moved_again_without_looking() {
        for case in cases() {
            let asked = Mutex::new(Vec::new());
            let look_up = || {
                asked.lock().unwrap().push("look up");
                ready(case.look_up.clone()).boxed()
            };
            let call = || {
                asked.lock().unwrap().push("call");
                ready(case.call.clone()).boxed()
            };
            let decided = ask_once(case.attempts, case.is_overdue, look_up, call).await.ok();
            assert_eq!(decided, case.decided, "{}", case.name);
            assert_eq!(*asked.lock().unwrap(), case.asked, "{}", case.name);
        }
    }
}
