//! Errors that say that somebody did not want this to be asked or answered.

use super::{
    error_text::{ErrorText, has, has_both},
    has_part,
};

/// What their codes have in them.
const CODE_PARTS: [&str; 18] = [
    "contentfilter",
    "contentpolicy",
    "contentmoderation",
    "contentviolation",
    "contentblocked",
    "prohibitedcontent",
    "usagepolicy",
    "responsibleai",
    "datainspection",
    "moderationblocked",
    "moderationfailed",
    "promptblocked",
    "guardrailintervened",
    "guardrailviolation",
    "censorship",
    "sensitivecontent",
    "safetyviolation",
    "riskcontrol",
];

/// What is said of nothing else.
const SAID: [&str; 28] = [
    "content management policy",
    "content filter",
    "content_filter",
    "content policy",
    "content violation",
    "policy violation",
    "usage guidelines",
    "usage policy",
    "usage policies",
    "community guidelines",
    "acceptable use",
    "safety system",
    "safety filter",
    "safety check",
    "data inspection",
    "inappropriate content",
    "prohibited content",
    "harmful content",
    "unsafe content",
    "sensitive content",
    "sensitive information",
    "sensitive word",
    // DeepSeek.
    "content exists risk",
    "considered high risk",
    "was flagged",
    "suspected to be illegal",
    "guardrail",
    "prompt was blocked",
];
/// The same in Chinese: sensitive, against the rules, looked through and found wanting.
const SAID_IN_CHINESE: [&str; 5] = ["敏感", "违规", "违反", "审核未通过", "内容安全"];

/// What may be held back, ...
const CONTENT: [&str; 5] = ["content", "prompt", "response", "output", "input"];
/// ... and by what words.
const HELD_BACK: [&str; 3] = ["is blocked", "was blocked", "been blocked"];

/// What has these words in it and is about something else: LM Studio's care for the memory, and
/// upper case.
const OTHERS: [&str; 4] =
    ["loading guardrail", "resource guardrail", "memory guardrail", "大小写敏感"];

pub(super) fn has_code(codes: &[String]) -> bool {
    has_part(codes, &CODE_PARTS, &[])
}

pub(super) fn says_so(error: &ErrorText) -> bool {
    let words = error.without(&OTHERS);
    has(&words, &SAID) || has(&words, &SAID_IN_CHINESE) || has_both(&words, &CONTENT, &HELD_BACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(words: &str) -> bool {
        says_so(&ErrorText::new(400, words, Some("m")))
    }

    #[test]
    fn what_was_held_back_is_known_in_every_vendors_words() {
        for words in [
            "系统检测到输入或生成内容可能包含不安全或敏感内容",
            "The content you provided or machine outputted is blocked.",
            "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_CSAM",
            "Content Exists Risk",
            "Guardrail was enabled and blocked the input",
            "The input content has failed the audit and is suspected to be illegal",
            "Your prompt was flagged as potentially violating our usage policy.",
        ] {
            assert!(says(words), "{words}");
        }
    }

    #[test]
    fn care_for_the_memory_is_no_filter() {
        for words in [
            "Model loading was stopped due to insufficient system resources. If you believe this \
             is a mistake, you can try to change the model loading guardrails in the settings.",
            "names are case-sensitive",
            "Your request was blocked by the firewall",
        ] {
            assert!(!says(words), "{words}");
        }
    }

    #[test]
    fn its_codes_are_known_by_their_parts() {
        let knows = |code: &str| has_code(&[code.to_owned()]);
        for code in [
            "contentfilter",
            "contentpolicyviolation",
            "responsibleaipolicyviolation",
            "datainspectionfailed",
            "censorshipblocked",
            "inputimagesensitivecontentdetected",
        ] {
            assert!(knows(code), "{code}");
        }
        assert!(!knows("invalidrequesterror"));
    }
}
