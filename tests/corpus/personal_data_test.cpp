#include "corpus/personal_data.h"

#include <gtest/gtest.h>

#include <array>
#include <iostream>
#include <string>
#include <vector>

#include "base/random.h"

namespace llmctl {
namespace {

std::string masked(std::string text) {
  PersonalDataCounts counts;
  mask_personal_data(text, {}, counts);
  return text;
}

TEST(PersonalData, Emails) {
  EXPECT_EQ(masked("Write to anna.b+x@mail.example.org."), "Write to <email>.");
  EXPECT_EQ(masked("请发到li_ming@qq.com谢谢"), "请发到<email>谢谢");
  EXPECT_EQ(masked("a@b, user@host, @name, 5@10 each"), "a@b, user@host, @name, 5@10 each");
  EXPECT_EQ(masked("12345678901@163.com"), "<email>");
}

TEST(PersonalData, Phones) {
  for (const char* phone : {"13812345678", "138-1234-5678", "138 1234 5678", "+86 13812345678",
                            "+86-138-1234-5678", "010-62345678", "0571-8765432", "0755-87654321",
                            "(415) 555-0132", "415-555-0132", "1-415-555-0132", "+1 415 555 0132",
                            "+44 20 7946 0958", "020 7946 0958", "07700 900123", "+49 30 123456"}) {
    EXPECT_EQ(masked("Call " + std::string(phone) + " today"), "Call <phone> today") << phone;
    EXPECT_EQ(masked("电话" + std::string(phone) + "。"), "电话<phone>。") << phone;
  }
}

TEST(PersonalData, IdNumbers) {
  EXPECT_EQ(masked("身份证11010519491231002X，"), "身份证<id>，");
  EXPECT_EQ(masked("SSN 123-45-6789."), "SSN <id>.");
  EXPECT_EQ(masked("card 4111 1111 1111 1111 and 6222021234567890128?").substr(0, 9), "card <id>");
  // A digit that is wrong makes it a number like others.
  EXPECT_EQ(masked("身份证110105194912310021"), "身份证110105194912310021");
  EXPECT_EQ(masked("4111 1111 1111 1112"), "4111 1111 1111 1112");
}

TEST(PersonalData, OtherNumbersStay) {
  for (const char* text : {"2024-01-15",
                           "1990-2000",
                           "12:30:45",
                           "ISBN 978-7-302-51234-5",
                           "version 10.15.7.3",
                           "192.168.100.101",
                           "$1,234,567.89",
                           "3.14159265358979",
                           "order A13812345678",
                           "No. 20240115123456",
                           "100 000 000",
                           "2023.12.31",
                           "5000000000",
                           "第13812345678901号",
                           "0.13812345678",
                           "400,000,000",
                           "lat 39.904202, lon 116.407394",
                           "2019-2020-2021",
                           "id_13812345678",
                           "13812345678.5",
                           "1/2/2024",
                           "000-00-0000"}) {
    EXPECT_EQ(masked(text), text);
  }
}

TEST(PersonalData, OnlyWhatIsAskedFor) {
  std::string text = "a@b.org 13812345678 123-45-6789";
  PersonalDataCounts counts;
  mask_personal_data(text, {.emails = false, .phones = true, .id_numbers = false}, counts);
  EXPECT_EQ(text, "a@b.org <phone> 123-45-6789");
  EXPECT_EQ(counts.phones, 1u);
  EXPECT_EQ(counts.emails + counts.id_numbers, 0u);
}

/// Writes numbers and addresses as people do.
class Planter {
 public:
  std::string digits(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += static_cast<char>('0' + random_.below(10));
    return text;
  }
  std::string pick(const std::vector<std::string>& some) {
    return some[random_.below(some.size())];
  }
  std::uint64_t below(std::uint64_t n) { return random_.below(n); }

  std::string email() {
    return pick({"anna", "li.wei", "john_smith", "wang2024", "k.m"}) + pick({"", "7", "-x", ".b"}) +
           "@" + pick({"mail.com", "qq.com", "163.com", "uni-x.edu.cn", "firm.co.uk"});
  }
  std::string mobile() {
    const std::string a = "1" + pick({"3", "5", "7", "8", "9"}) + digits(1), b = digits(4),
                      c = digits(4);
    return pick({a + b + c, a + "-" + b + "-" + c, a + " " + b + " " + c, "+86 " + a + b + c,
                 "+86-" + a + "-" + b + "-" + c});
  }
  std::string landline() {
    return pick(
        {"010-6" + digits(7), "021-5" + digits(7), "0571-8" + digits(6), "0755-2" + digits(7)});
  }
  std::string american() {
    const std::string a = pick({"212", "415", "646", "303"}), b = pick({"555", "734", "268"}),
                      c = digits(4);
    return pick({"(" + a + ") " + b + "-" + c, a + "-" + b + "-" + c, "+1 " + a + " " + b + " " + c,
                 "1-" + a + "-" + b + "-" + c});
  }
  std::string social_security() {
    return std::to_string(100 + random_.below(500)) + "-" + std::to_string(10 + random_.below(90)) +
           "-" + std::to_string(1000 + random_.below(9000));
  }
  std::string resident_id() {
    std::string id = pick({"110105", "310104", "440305", "510107"}) +
                     std::to_string(1950 + random_.below(55)) +
                     pick({"0131", "0615", "1209", "1128"}) + digits(3);
    static constexpr std::array<int, 17> kWeights = {7, 9, 10, 5,  8, 4, 2, 1, 6,
                                                     3, 7, 9,  10, 5, 8, 4, 2};
    int sum = 0;
    for (std::size_t i = 0; i < 17; ++i) sum += kWeights[i] * (id[i] - '0');
    return id + "10X98765432"[sum % 11];
  }
  std::string card() {
    std::string card = pick({"4", "51", "62"});
    card += digits(15 - card.size());
    for (char check = '0'; check <= '9'; ++check) {
      int sum = 0;
      const std::string whole = card + check;
      for (std::size_t i = 0; i < whole.size(); ++i) {
        int digit = whole[whole.size() - 1 - i] - '0';
        if (i % 2 == 1) digit = digit > 4 ? 2 * digit - 9 : 2 * digit;
        sum += digit;
      }
      if (sum % 10 != 0) continue;
      return random_.below(2) == 0 ? whole
                                   : whole.substr(0, 4) + " " + whole.substr(4, 4) + " " +
                                         whole.substr(8, 4) + " " + whole.substr(12);
    }
    return card;
  }
  std::string personal(bool chinese) {
    switch (random_.below(4)) {
      case 0:
        return email();
      case 1:
        return chinese ? mobile() : american();
      case 2:
        return chinese ? landline() : social_security();
      default:
        return random_.below(2) == 0 ? card() : chinese ? resident_id() : email();
    }
  }
  /// Numbers that are nobody's.
  std::string harmless() {
    return pick(
        {"20" + digits(2) + "-0" + std::to_string(1 + random_.below(9)) + "-1" + digits(1),
         std::to_string(1 + random_.below(9)) + "," + digits(3) + "," + digits(3),
         digits(2) + "." + digits(6), "ISBN 978-7-" + digits(3) + "-" + digits(5) + "-" + digits(1),
         "10." + digits(2) + ".1" + digits(2) + ".2",
         "v" + digits(1) + "." + digits(2) + "." + digits(1), "A" + digits(11),
         std::to_string(1900 + random_.below(100)) + "-" + std::to_string(2000 + random_.below(25)),
         "1" + digits(1) + ":3" + digits(1), "SN" + digits(8) + "-" + digits(4),
         std::to_string(2 + random_.below(7)) + digits(7), "@user" + digits(3)});
  }

 private:
  Random random_{random_key(20, "personal data")};
};

// 500 texts in both languages: what is found of 250 planted ones, and what of 250 others.
TEST(PersonalData, PlantedSet) {
  Planter plant;
  const std::vector<std::string> chinese = {"联系方式是%，请尽快回复。", "我的号码：%",
                                            "有问题请找%谢谢", "（%）是他留下的",
                                            "登记信息%已经收到。"};
  const std::vector<std::string> english = {"You can reach me at %.", "Contact: % (office hours)",
                                            "His details, %, were left at the desk.",
                                            "Please use % from now on", "It says % on the form."};
  std::size_t found = 0, planted = 0, alarms = 0, others = 0;
  for (int i = 0; i < 500; ++i) {
    const bool is_chinese = i % 2 == 0, is_planted = i % 4 < 2;
    const std::string item = is_planted ? plant.personal(is_chinese) : plant.harmless();
    std::string text = plant.pick(is_chinese ? chinese : english);
    text.replace(text.find('%'), 1, item);
    std::string cleaned = text;
    PersonalDataCounts counts;
    mask_personal_data(cleaned, {}, counts);
    if (is_planted) {
      ++planted;
      const bool gone = cleaned.find(item) == std::string::npos &&
                        counts.emails + counts.phones + counts.id_numbers == 1;
      found += gone;
      if (!gone) std::cout << "missed: " << text << " -> " << cleaned << "\n";
    } else {
      ++others;
      alarms += cleaned != text;
      if (cleaned != text) std::cout << "false alarm: " << text << " -> " << cleaned << "\n";
    }
  }
  std::cout << "found " << found << " of " << planted << ", false alarms " << alarms << " of "
            << others << "\n";
  EXPECT_GE(found, planted * 97 / 100);
  EXPECT_LE(alarms, others * 2 / 100);
}

TEST(PersonalData, AnyTextIsTaken) {
  Random random(random_key(21, "any"));
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (std::uint64_t n = random.below(40); n > 0; --n) {
      text += "0123456789 -().+@xX中a"[random.below(22)];
    }
    std::string once = masked(text);
    EXPECT_EQ(masked(once), once);
  }
}

}  // namespace
}  // namespace llmctl
