//! Scripts that belong to one language, or nearly: Thai, Hangul, kana, Han, Arabic.

use super::{Expected, Guess, Language};

/// How many Latin letters weigh as much as one letter of the script. A Chinese character or a Korean syllable is about
/// as much text as three letters.
const HAN: f32 = 3.0;
const KANA: f32 = 2.0;
const HANGUL: f32 = 2.5;
/// Share of the text that the script must have beside Latin letters: product names and "size" are English everywhere.
const SHARE: f32 = 0.25;

/// So few characters without kana, of which no list knows one, may be Chinese or Japanese.
const AMBIGUOUS: usize = 2;

/// Japanese and not Chinese: forms of characters, and words without kana that shoppers write.
const JAPANESE: &[&str] = &[
    "値",
    "込",
    "円",
    "売",
    "広",
    "気",
    "発",
    "払",
    "届",
    "枚",
    "着丈",
    "身長",
    "返品",
    "交換",
    "半額",
    "高値",
    "初見",
    "購入希望",
    "値引",
    "無料",
    "送料",
    "在庫",
    "購入",
    "注文",
    "大丈夫",
    "音声",
    "画面",
    "映像",
    "遅延",
    "質問",
    "初見",
    "今晩",
    "円",
    "税込",
    "税抜",
    "支払",
    "予約",
    "再入荷",
    "入荷",
    "完売",
    "色違",
    "配送",
    "発送",
    "到着",
    "郵便",
    "宅配",
    "代引",
    "了解",
    "承知",
    "失礼",
    "感謝",
    "綺麗",
    "素敵",
    "乾杯",
    "駅",
    "働",
    "込み",
    "浜",
    "検",
    "験",
    "図",
    "団",
    "対",
    "転",
    "軽",
    "経",
    "続",
    "総",
    "読",
    "変",
    "両",
];
/// Chinese and not Japanese: particles, simplified forms, words of selling.
const CHINESE: &[&str] = &[
    "的", "吗", "嗎", "这", "這", "个", "個", "么", "麼", "吧", "呢", "啊", "呀", "哦", "喔", "啦",
    "了", "是", "我", "你", "妳", "们", "們", "没", "沒", "什", "怎", "哪", "谁", "誰", "几", "幾",
    "多少", "钱", "錢", "价", "價", "买", "買", "卖", "賣", "运", "運", "费", "费", "單", "单",
    "货", "貨", "发", "發", "链", "鏈", "拍", "扣", "码", "碼", "尺", "卡", "听", "聽", "看",
    "声音", "聲音", "给", "給", "还", "還", "要", "想", "好看", "漂亮", "可以", "请", "請", "谢",
    "謝", "主播", "老板", "姐", "哥", "亲", "包邮", "下单", "上车", "便宜", "太", "很", "真", "都",
    "也", "在", "有", "不", "吃", "穿", "来", "來", "吗", "说", "說", "讲", "講", "收到", "问",
    "問", "點", "颜", "顏", "号", "嘅", "好", "美", "貴", "贵", "赞", "讚", "爱", "棒", "帅", "帥",
    "早", "晚安", "加油", "厉害", "厲害", "支持", "关注", "關注", "红包", "紅包", "福利", "优惠",
    "優惠", "已", "付款", "退", "换", "快递", "物流", "质", "面料", "黑", "红", "紅", "蓝", "藍",
    "绿", "綠", "黃", "件", "条", "双", "雙", "现", "現貨", "正品", "能", "会", "就", "或", "再",
    "让", "讓", "从", "從", "对", "頭", "头", "老闆", "讓", "體", "码", "碼", "尺", "衣", "裤",
    "褲", "鞋", "裙", "免運", "免运", "包", "掉色", "貨", "收", "唔", "係", "冇", "啲", "咩",
    "幾多", "嚟", "佢", "喺",
];
/// Letters of Persian and Urdu that Arabic has not.
const NOT_ARABIC: &[char] =
    &['پ', 'چ', 'ژ', 'گ', 'ے', 'ں', 'ٹ', 'ڈ', 'ڑ', 'ھ', 'ہ', 'ۀ', 'ێ', 'ۆ', 'ە'];

/// How much of a text is written in which script.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    latin: usize,
    thai: usize,
    /// The longest run of Thai letters.
    thai_run: usize,
    hangul: usize,
    jamo: usize,
    kana: usize,
    /// Kana other than the one that Chinese writers borrow.
    kana_own: usize,
    han: usize,
    arabic: usize,
    other: usize,
}

impl Counted {
    /// Counts a text that is normalised.
    pub(super) fn new(text: &str) -> Self {
        let mut counted = Self::default();
        let mut run = 0;
        for c in text.chars() {
            run = if matches!(c, '\u{e01}'..='\u{e3a}' | '\u{e40}'..='\u{e4e}') {
                run + 1
            } else {
                0
            };
            counted.thai_run = counted.thai_run.max(run);
            match c {
                'a'..='z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => counted.latin += 1,
                '\u{e01}'..='\u{e3a}' | '\u{e40}'..='\u{e4e}' => counted.thai += 1,
                '\u{ac00}'..='\u{d7a3}' => counted.hangul += 1,
                '\u{1100}'..='\u{11ff}' | '\u{3131}'..='\u{318e}' => counted.jamo += 1,
                'の' => counted.kana += 1,
                '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fa}' | 'ー' => {
                    counted.kana += 1;
                    counted.kana_own += 1;
                }
                '々'
                | '\u{3400}'..='\u{4dbf}'
                | '\u{4e00}'..='\u{9fff}'
                | '\u{20000}'..='\u{3134f}' => {
                    counted.han += 1;
                }
                '\u{621}'..='\u{64a}' | '\u{66e}'..='\u{6d3}' => counted.arabic += 1,
                c if c.is_alphabetic() => counted.other += 1,
                _ => {}
            }
        }
        counted
    }

    /// Whether most of it is in a script of none of the languages.
    pub(super) const fn foreign(&self) -> bool {
        self.other > self.latin
    }

    /// The language, where the script decides.
    pub(super) fn decide(&self, text: &str, expected: Expected) -> Option<Guess> {
        let jamo = if self.jamo >= 2 { self.jamo as f32 } else { 0.0 };
        let east = if self.kana_own >= 2 || (self.kana_own >= 1 && self.han >= 1) {
            self.han as f32 * HAN + self.kana as f32 * KANA
        } else {
            self.han as f32 * HAN
        };
        let thai = if self.thai_run >= 2 { self.thai as f32 } else { 0.0 };
        let arabic = if self.arabic >= 2 { self.arabic as f32 } else { 0.0 };
        let shares = [
            (Script::Thai, thai),
            (Script::Hangul, self.hangul as f32 * HANGUL + jamo),
            (Script::East, east),
            (Script::Arabic, arabic),
        ];
        let (script, most) = shares.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let all: f32 = shares.iter().map(|share| share.1).sum();
        let share = most / (all + self.other as f32);
        if most == 0.0 || most < (most + self.latin as f32) * SHARE || share < 0.6 {
            return None;
        }
        let language = match script {
            Script::Thai => Language::Th,
            Script::Hangul => Language::Ko,
            Script::Arabic if text.contains(NOT_ARABIC) => return None,
            Script::Arabic => Language::Ar,
            Script::East => self.chinese_or_japanese(text, expected)?,
        };
        Some(Guess { language, confidence: share.min(0.99) })
    }

    fn chinese_or_japanese(&self, text: &str, expected: Expected) -> Option<Language> {
        if self.kana_own >= 1 {
            return Some(Language::Ja);
        }
        let count = |words: &[&str]| words.iter().filter(|word| text.contains(**word)).count();
        // A Japanese word often holds a character that counts for Chinese.
        let (japanese, chinese) = (2 * count(JAPANESE), count(CHINESE));
        let japan = expected.has(Language::Ja) && !expected.has(Language::Zh);
        let china = expected.has(Language::Zh) && !expected.has(Language::Ja);
        if japanese > chinese || (japan && japanese == chinese) {
            Some(Language::Ja)
        } else if chinese > 0 || china || self.han > AMBIGUOUS {
            Some(Language::Zh)
        } else {
            None
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Script {
    Thai,
    Hangul,
    East,
    Arabic,
}
