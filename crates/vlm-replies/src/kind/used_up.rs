//! Errors that say that somebody has asked too much, or has not paid: a limit, a quota, a balance, a
//! budget. Each vendor has a status of its own for them.

use super::{
    error_text::{ErrorText, has, has_both},
    has_part,
};

/// What their codes have in them.
const CODE_PARTS: [&str; 21] = [
    // Too often.
    "ratelimit",
    "requestlimit",
    "limitrequest",
    "limitburst",
    "concurrencylimit",
    "concurrentrequest",
    "toomanyrequests",
    "throttl",
    // Too much.
    "quota",
    "usagelimit",
    "freetier",
    "resourceexhausted",
    "resourcehasbeenexhausted",
    // Not paid.
    "balance",
    "credit",
    "budget",
    "billing",
    "overdue",
    "arrear",
    "spendinglimit",
    "insufficientfund",
];
/// What codes have in them that only look so.
const OTHER_CODES: [&str; 4] = ["loadbalanc", "diskquota", "thinkingbudget", "tokenbudget"];

/// What is said of nothing else.
const SAID: [&str; 44] = [
    // Too often.
    "rate limit",
    "rate-limit",
    "ratelimit",
    "rate_limit",
    "too many requests",
    "throttl",
    "request limit reached",
    "request limit exceeded",
    "concurrency limit",
    "concurrent request",
    "tokens per minute",
    "requests per minute",
    "requests per day",
    // Too much.
    "quota",
    "usage limit",
    "usage cap",
    "daily limit",
    "weekly limit",
    "monthly limit",
    "key limit",
    "resource exhausted",
    "resource has been exhausted",
    // Not paid.
    "spending limit",
    "spend limit",
    "spending cap",
    "credit balance",
    "insufficient_credit",
    "insufficient fund",
    "more credits",
    "payment required",
    "payment method",
    "past due",
    "overdue",
    "unpaid",
    "check your plan and billing",
    "billing details",
    "billing hard limit",
    "billing to be enabled",
    "enable billing",
    "billing is not",
    "account is in arrears",
    "account is in good standing",
    "credit card",
    "over budget",
];
/// The same in Chinese: quota, arrears, topping up, too often, a limit on calls.
const SAID_IN_CHINESE: [&str; 13] = [
    "额度",
    "配额",
    "余额不足",
    "欠费",
    "充值",
    "请求过于频繁",
    "请求频率",
    "请求过多",
    "调用频率",
    "速率限制",
    "限流",
    "并发数",
    "次数已用完",
];

/// What there may be too little of, ...
const MEANS: [&str; 10] = [
    "balance",
    "credit",
    "funds",
    "budget",
    "allowance",
    "allocation",
    "free tier",
    "free plan",
    "trial",
    "subscription",
];
/// ... and how that is said of it.
const GONE: [&str; 22] = [
    "insufficient",
    "not sufficient",
    "not enough",
    "exceed",
    "exhaust",
    "used up",
    "used all",
    "out of ",
    "run out",
    "ran out",
    "too low",
    "deplet",
    "no remaining",
    "not have any",
    "n't have any",
    "n't have enough",
    "negative",
    "expired",
    "has ended",
    "crossed",
    "purchase ",
    "reached",
];

/// What has these words in it and is about something else: machines, disks, and how long a model may
/// think.
const OTHERS: [&str; 11] = [
    "disk quota",
    "load balanc",
    "to balance",
    "load-balanc",
    "loadbalanc",
    "memory allocation",
    "thinking budget",
    "thinking_budget",
    "thinking.budget",
    "budget_tokens",
    "token budget",
];

pub(super) fn has_code(codes: &[String]) -> bool {
    has_part(codes, &CODE_PARTS, &OTHER_CODES)
}

pub(super) fn says_so(error: &ErrorText) -> bool {
    let words = error.without(&OTHERS);
    has(&words, &SAID) || has(&words, &SAID_IN_CHINESE) || has_both(&words, &MEANS, &GONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(words: &str) -> bool {
        says_so(&ErrorText::new(403, words, Some("m")))
    }

    #[test]
    fn what_is_used_up_is_known_in_every_vendors_words() {
        for words in [
            "预扣费额度失败, 用户剩余额度: ＄0.000000",
            "您的账户已欠费，请充值后重试。",
            "请求过于频繁，请稍后再试",
            "Sorry, your account balance is insufficient",
            "not enough balance",
            "The request failed because your account has an overdue balance.",
            "Your newly created team doesn't have any credits yet.",
            "Your team doesn’t have any credits.",
            "Your team has either used all available credits or reached its monthly spending limit.",
            "Account x is suspended, possibly due to failure to pay an unpaid invoice.",
            "The free tier of the model has been exhausted.",
            "Budget has been exceeded! Current cost: 1.2, Max budget: 1.0",
            "ExceededBudget: User=x over budget. Spend=2, Budget=1",
            "you have used up your daily free allocation of 10,000 neurons",
            "Open api qps request limit reached",
            "Key limit exceeded (total limit)",
            "This API method requires billing to be enabled.",
            "You have exceeded your premium request allowance.",
            "Insufficient funds. Please add credits.",
            "Your trial has expired",
            "inference prohibited, please enter a payment method",
        ] {
            assert!(says(words), "{words}");
        }
    }

    #[test]
    fn what_only_sounds_like_money_is_something_else() {
        for words in [
            "[Errno 122] Disk quota exceeded",
            "the load balancer has run out of healthy backends",
            "thinking_budget must not exceed max_tokens",
            "GPU memory allocation exceeded what is there",
            "The prompt exceeds the context length",
            "invalid credentials",
            "Model loading was stopped due to insufficient system resources.",
            "You have no access. Ask for more.",
        ] {
            assert!(!says(words), "{words}");
        }
    }

    #[test]
    fn its_codes_are_known_by_their_parts() {
        let knows = |code: &str| has_code(&[code.to_owned()]);
        for code in [
            "insufficientuserquota",
            "notenoughbalance",
            "accountoverdueerror",
            "allocationquotafreetieronly",
            "exceededcurrentquotaerror",
            "budgetexceeded",
            "arrearage",
            "billingdisabled",
            "throttlingratequota",
            "someresourcehasbeenexhausted",
            "userratelimitexceeded",
            "servicequotaexceededexception",
        ] {
            assert!(knows(code), "{code}");
        }
        for code in ["loadbalancererror", "contextlengthexceeded", "thinkingbudgetinvalid"] {
            assert!(!knows(code), "{code}");
        }
    }
}
