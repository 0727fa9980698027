//! What a newer program says and this one does not know: named, and refused by name, so that the session goes on. Programs of
//! neighbouring versions meet in every rollout.

use super::{
    codec::decode,
    messages::{Abort, Aborted, Answer, Down, Order, Up},
};
use crate::{
    epoch::Epoch,
    ids::Attempt,
    reason::{Reason, Refusal, cut},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use std::fmt;

/// Longest word that is repeated to people.
const WORD_MAX: usize = 64;

/// A frame that could not be read as one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown<T> {
    /// It means this, as far as it has to be understood.
    Read(T),
    /// It is an order that has to be refused, and this says why.
    Refuse {
        /// Of which attempt.
        attempt: Attempt,
        /// Under which epoch.
        epoch: Epoch,
        /// To be answered.
        refusal: Refusal,
    },
    /// Nobody waits for an answer: its name, for the log.
    Ignore(String),
}

/// What an undecodable frame of a coordinator comes to; `None`: it is no message at all.
pub fn unknown_down(frame: &[u8]) -> Option<Unknown<Down>> {
    let Some(OrderOutline { attempt, epoch, order }) = decode::<DownOutline>(frame).ok().and_then(|down| down.order)
    else {
        return name_of(frame).map(Unknown::Ignore);
    };
    // Letting go needs no reason.
    if order.0 == "Abort" {
        let order = Order::Abort(Abort { reason: Reason::UnknownWord });
        return Some(Unknown::Read(Down::Order { attempt, epoch, order }));
    }
    let text = format!("the order {} of a newer coordinator cannot be read by this plane actor", order.0);
    Some(Unknown::Refuse { attempt, epoch, refusal: Refusal::new(Reason::UnknownWord, text) })
}

/// What an undecodable frame of a plane comes to; `None`: it is no message at all.
pub fn unknown_up(frame: &[u8]) -> Option<Unknown<Up>> {
    let Some(AnswerOutline { attempt, epoch, answer }) = decode::<UpOutline>(frame).ok().and_then(|up| up.answer)
    else {
        return name_of(frame).map(Unknown::Ignore);
    };
    let answer = match answer {
        AnswerWord::Refused(refused) => Answer::Refused(refused.read()),
        AnswerWord::Aborted(AbortedOutline { cause }) => {
            Answer::Aborted(Aborted { cause: cause.map(RefusedOutline::read) })
        }
        // Said on the way; the answer is still to come.
        AnswerWord::Other(Word(word)) if ["Progress", "Renewed"].contains(&word.as_str()) => {
            return Some(Unknown::Ignore(word));
        }
        AnswerWord::Other(Word(word)) => {
            let text = format!("the answer {word} of a newer plane actor cannot be read by this coordinator");
            Answer::Refused(Refusal::new(Reason::UnknownWord, text))
        }
    };
    Some(Unknown::Read(Up::Answer { attempt, epoch, answer }))
}

fn name_of(frame: &[u8]) -> Option<String> {
    decode::<Word>(frame).ok().map(|Word(word)| word)
}

#[derive(Deserialize)]
struct DownOutline {
    #[serde(rename = "Order", default)]
    order: Option<OrderOutline>,
}

#[derive(Deserialize)]
struct OrderOutline {
    attempt: Attempt,
    epoch: Epoch,
    order: Word,
}

#[derive(Deserialize)]
struct UpOutline {
    #[serde(rename = "Answer", default)]
    answer: Option<AnswerOutline>,
}

#[derive(Deserialize)]
struct AnswerOutline {
    attempt: Attempt,
    epoch: Epoch,
    answer: AnswerWord,
}

#[derive(Deserialize)]
struct RefusedOutline {
    reason: String,
    message: String,
}

impl RefusedOutline {
    fn read(self) -> Refusal {
        let text = format!("{}, in a newer plane actor's word: {}", cut(self.reason, WORD_MAX), self.message);
        Refusal::new(Reason::UnknownWord, text)
    }
}

#[derive(Deserialize)]
struct AbortedOutline {
    #[serde(default)]
    cause: Option<RefusedOutline>,
}

/// The name of a variant, whatever is in it.
struct Word(String);

enum AnswerWord {
    Refused(RefusedOutline),
    Aborted(AbortedOutline),
    Other(Word),
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match AnswerWord::deserialize(deserializer)? {
            AnswerWord::Refused(_) => Ok(Self("Refused".to_owned())),
            AnswerWord::Aborted(_) => Ok(Self("Aborted".to_owned())),
            AnswerWord::Other(word) => Ok(word),
        }
    }
}

impl<'de> Deserialize<'de> for AnswerWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VariantName)
    }
}

/// A variant is its name, or a map of one: its name and what is in it.
struct VariantName;

impl<'de> Visitor<'de> for VariantName {
    type Value = AnswerWord;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a variant's name, alone or with its content")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(AnswerWord::Other(Word(cut(name.to_owned(), WORD_MAX))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let name: String = map.next_key()?.ok_or_else(|| A::Error::custom("a variant without a name"))?;
        let word = match name.as_str() {
            "Refused" => AnswerWord::Refused(map.next_value()?),
            "Aborted" => AnswerWord::Aborted(map.next_value()?),
            _ => {
                map.next_value::<IgnoredAny>()?;
                AnswerWord::Other(Word(cut(name, WORD_MAX)))
            }
        };
        match map.next_key::<IgnoredAny>()? {
            None => Ok(word),
            Some(_) => Err(A::Error::custom("a variant with two names")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{ids::BackupUid, wire::encode};
    use serde_json::{Value, json};

    fn attempt() -> Attempt {
        Attempt { backup: BackupUid::new("u-1"), number: 2 }
    }

    /// Of a program to come.
    fn frame(word: &str, what: Value) -> Vec<u8> {
        let (of, field) = if word == "Order" { ("Order", "order") } else { ("Answer", "answer") };
        encode(&json!({ of: { "attempt": attempt(), "epoch": 5, field: what, "trace": [1, {"x": null}] } })).unwrap()
    }

    #[test]
    fn an_order_that_is_not_known_is_refused_by_its_name() {
        for order in [json!("Defragment"), json!({"Defragment": {"deep": [1, 2]}}), json!({"Clean": {"scope": "Half"}})]
        {
            let name = order.as_str().unwrap_or_else(|| order.as_object().unwrap().keys().next().unwrap()).to_owned();
            let Some(Unknown::Refuse { attempt: of, epoch, refusal }) = unknown_down(&frame("Order", order)) else {
                panic!("{name}")
            };
            assert_eq!((of, epoch, refusal.reason), (attempt(), Epoch(5), Reason::UnknownWord));
            assert!(refusal.message.contains(&format!("order {name} ")), "{refusal}");
        }
    }

    #[test]
    fn letting_go_is_understood_whatever_the_reason() {
        let read = unknown_down(&frame("Order", json!({"Abort": {"reason": "Comet"}})));
        let Some(Unknown::Read(Down::Order { order: Order::Abort(abort), .. })) = read else { panic!("{read:?}") };
        assert_eq!(abort.reason, Reason::UnknownWord);
    }

    #[test]
    fn a_refusal_keeps_its_word_and_text() {
        let read = unknown_up(&frame("Answer", json!({"Refused": {"reason": "Comet", "message": "it came", "of": 7}})));
        let Some(Unknown::Read(Up::Answer { answer: Answer::Refused(refusal), .. })) = read else { panic!("{read:?}") };
        assert_eq!(refusal.reason, Reason::UnknownWord);
        assert!(refusal.message.contains("Comet") && refusal.message.contains("it came"), "{refusal}");
        let aborted = json!({"Aborted": {"cause": {"reason": "Comet", "message": "it came"}}});
        let read = unknown_up(&frame("Answer", aborted));
        let Some(Unknown::Read(Up::Answer { answer: Answer::Aborted(aborted), .. })) = read else { panic!("{read:?}") };
        assert!(aborted.cause.unwrap().message.contains("Comet"), "it has let go, for whatever reason");
        let progress = json!({"Progress": {"phase": "Defragmenting"}});
        assert_eq!(unknown_up(&frame("Answer", progress)), Some(Unknown::Ignore("Progress".into())), "no answer yet");
        let read = unknown_up(&frame("Answer", json!({"Defragmented": {}})));
        let Some(Unknown::Read(Up::Answer { answer: Answer::Refused(refusal), .. })) = read else { panic!("{read:?}") };
        assert!(refusal.message.contains("answer Defragmented "), "{refusal}");
    }

    #[test]
    fn what_nobody_waits_for_is_named_and_what_is_no_message_is_not() {
        assert_eq!(
            unknown_down(&encode(&json!({"Weather": {"sun": 1}})).unwrap()),
            Some(Unknown::Ignore("Weather".into()))
        );
        assert_eq!(unknown_up(&encode(&json!("Weather")).unwrap()), Some(Unknown::Ignore("Weather".into())));
        for bad in
            [&b"\xc1"[..], b"", b"\x07", &encode(&json!({"a": 1, "b": 2})).unwrap(), &encode(&json!({})).unwrap()]
        {
            assert_eq!((unknown_down(bad), unknown_up(bad)), (None, None), "{bad:?}");
        }
        let long = encode(&json!("W".repeat(5000))).unwrap();
        let Some(Unknown::Ignore(word)) = unknown_up(&long) else { panic!("a name") };
        assert!(word.len() <= WORD_MAX);
    }
}
