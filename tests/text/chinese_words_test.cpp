// ICU's Chinese words against sentences cut by hand.
#include "text/chinese_words.h"

#include <gtest/gtest.h>

#include <iostream>
#include <set>
#include <sstream>
#include <string>

namespace llmctl {
namespace {

/// News, reviews, stories, encyclopaedia and talk, cut by hand after the standard of Peking
/// University's corpus (signs left out).
constexpr const char* kSentences[] = {
    "今天 上午 市 政府 召开 新闻 发布会",
    "全国 各地 的 农民 正在 忙 着 收割 小麦",
    "中国 经济 保持 了 稳定 的 增长",
    "他 是 北京 大学 历史 系 的 教授",
    "这 家 酒店 的 服务 非常 好",
    "房间 很 干净 早餐 也 不错",
    "我们 在 公园 里 看到 了 很多 美丽 的 花朵",
    "小 明 昨天 晚上 没有 完成 作业",
    "科学家 发现 了 一 种 新 的 鱼类",
    "这 本 书 讲述 了 一 个 感人 的 故事",
    "长江 是 亚洲 最 长 的 河流",
    "火车 站 离 这里 只 有 两 公里",
    "妈妈 给 我 买 了 一 件 红色 的 毛衣",
    "会议 将 于 下 个 星期 在 上海 举行",
    "医生 建议 他 多 喝 水 少 抽烟",
    "电影 的 结尾 让 人 意想不到",
    "学生 们 都 喜欢 这 位 年轻 的 老师",
    "公司 决定 明年 扩大 生产 规模",
    "由于 天气 原因 航班 被 取消 了",
    "她 用 流利 的 英语 回答 了 记者 的 问题",
    "春天 来 了 树木 开始 发芽",
    "这个 问题 已经 引起 了 社会 的 广泛 关注",
    "从前 有 一 只 聪明 的 狐狸 住 在 森林 里",
    "计算机 技术 的 发展 改变 了 人们 的 生活",
    "他 把 钥匙 忘 在 办公室 里 了",
    "图书馆 每天 早上 八 点 开门",
    "研究 表明 运动 有利于 身体 健康",
    "前台 的 态度 太 差 了 下次 不 会 再 来",
    "老 人 坐 在 门口 晒 太阳",
    "联合国 呼吁 双方 停止 冲突",
    "他们 结婚 已经 二十 年 了",
    "请 你 把 窗户 关 上",
    "我 觉得 价格 有点 贵 但是 质量 很 好",
    "地球 围绕 太阳 转动",
    "这 座 桥 建 于 明朝 有 五百 年 的 历史",
    "孩子 们 在 操场 上 踢 足球",
    "警察 很 快 就 抓住 了 小偷",
    "手机 的 电池 用 不 到 一 天",
    "秋天 的 北京 是 一 年 中 最 美 的 时候",
    "作者 在 书 中 介绍 了 自己 的 经历",
    "如果 明天 下雨 我们 就 不 去 爬山 了",
    "银行 下调 了 贷款 利率",
    "这种 植物 主要 分布 在 南方 地区",
    "他 对 音乐 有 着 浓厚 的 兴趣",
    "晚饭 以后 我 和 爷爷 一起 散步",
    "代表 们 一致 通过 了 这 项 决议",
    "那 只 小 猫 躲 在 沙发 下面",
    "网络 购物 越来越 受 年轻人 的 欢迎",
    "老师 表扬 了 认真 学习 的 同学",
    "市场 上 的 蔬菜 又 涨价 了",
};

std::set<std::pair<std::size_t, std::size_t>> spans_of(const std::string& cut, std::string& text) {
  std::set<std::pair<std::size_t, std::size_t>> spans;
  std::istringstream words(cut);
  text.clear();
  for (std::string word; words >> word;) {
    spans.emplace(text.size(), text.size() + word.size());
    text += word;
  }
  return spans;
}

TEST(ChineseWords, AgreeWithSentencesCutByHand) {
  const ChineseWords words;
  double right = 0, ours = 0, gold = 0;
  for (const char* sentence : kSentences) {
    std::string text;
    const auto expected = spans_of(sentence, text);
    gold += static_cast<double>(expected.size());
    for (const ByteSpan span : words.split(text)) {
      ++ours;
      right += static_cast<double>(expected.count({span.begin, span.end}));
    }
  }
  const double precision = right / ours, recall = right / gold;
  const double f1 = 2 * precision * recall / (precision + recall);
  std::cout << "precision " << precision << ", recall " << recall << ", F1 " << f1 << "\n";
  EXPECT_GE(f1, 0.8);
}

}  // namespace
}  // namespace llmctl
