#include "text/special_template.h"

#include <algorithm>

namespace llmctl {
namespace {

using Item = SpecialTemplate::Item;

Item special(TokenId id, TokenId type = 0) {
  return {Item::Kind::kSpecial, id, type};
}
constexpr Item kFirst{Item::Kind::kFirst, 0, 0};
constexpr Item kSecond{Item::Kind::kSecond, 0, 1};

Json items_to_json(const std::vector<Item>& items,
                   const std::function<std::string(TokenId)>& piece) {
  Json list = Json::array();
  for (const Item& item : items) {
    if (item.kind == Item::Kind::kSpecial) {
      list.push_back({{"SpecialToken", {{"id", piece(item.id)}, {"type_id", item.type}}}});
    } else {
      const char* name = item.kind == Item::Kind::kFirst ? "A" : "B";
      list.push_back({{"Sequence", {{"id", name}, {"type_id", item.type}}}});
    }
  }
  return list;
}

const Json& member(const Json& json, const char* name, const std::string& source) {
  if (!json.is_object() || !json.contains(name)) {
    fail(ErrorCode::kData, source, ": missing \"", name, "\"");
  }
  return json[name];
}

std::string string_member(const Json& json, const char* name, const std::string& source) {
  const Json& value = member(json, name, source);
  if (!value.is_string()) fail(ErrorCode::kData, source, ".", name, ": expected a string");
  return value.get<std::string>();
}

std::vector<Item> items_from_json(
    const Json& list, const std::function<std::optional<TokenId>(std::string_view)>& find,
    const std::string& source) {
  if (!list.is_array()) fail(ErrorCode::kData, source, ": expected a list");
  std::vector<Item> items;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string place = concat(source, "[", i, "]");
    const Json& entry = list[i];
    const bool is_special = entry.is_object() && entry.contains("SpecialToken");
    const Json& body = member(entry, is_special ? "SpecialToken" : "Sequence", place);
    const std::string name = string_member(body, "id", place);
    const Json& type = member(body, "type_id", place);
    if (!type.is_number_integer() || type < 0 || type > 1) {
      fail(ErrorCode::kData, place, ".type_id: expected 0 or 1");
    }
    Item item{Item::Kind::kFirst, 0, type.get<TokenId>()};
    if (is_special) {
      const auto id = find(name);
      if (!id) fail(ErrorCode::kData, place, ": \"", name, "\" is not in the vocabulary");
      item.kind = Item::Kind::kSpecial;
      item.id = *id;
    } else if (name == "B") {
      item.kind = Item::Kind::kSecond;
    } else if (name != "A") {
      fail(ErrorCode::kData, place, ": sequence \"", name, "\", expected A or B");
    }
    items.push_back(item);
  }
  return items;
}

/// The id of a member ["[CLS]", 2].
TokenId named_id(const Json& json, const char* name,
                 const std::function<std::optional<TokenId>(std::string_view)>& find,
                 const std::string& source) {
  const Json& pair = member(json, name, source);
  if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string()) {
    fail(ErrorCode::kData, source, ".", name, ": expected a token and its id");
  }
  const auto token = pair[0].get<std::string>();
  const auto id = find(token);
  if (!id || pair[1] != *id) {
    fail(ErrorCode::kData, source, ".", name, ": \"", token, "\" has not the id ",
         dump_json(pair[1]), " in the vocabulary");
  }
  return *id;
}

}  // namespace

SpecialTemplate SpecialTemplate::for_tokens(const SpecialTokens& tokens) {
  if (tokens.cls && tokens.sep) {
    return bert(*tokens.cls, *tokens.sep);
  }
  if (tokens.bos) return around(tokens.bos, std::nullopt);
  if (tokens.eos) {
    const Item eos = special(*tokens.eos);
    return {{kFirst, eos}, {kFirst, eos, kSecond, special(*tokens.eos, 1)}};
  }
  return around(std::nullopt, std::nullopt);
}

SpecialTemplate SpecialTemplate::around(std::optional<TokenId> before,
                                        std::optional<TokenId> after) {
  SpecialTemplate result;
  if (before) result.single.push_back(special(*before));
  result.single.push_back(kFirst);
  result.pair = result.single;
  result.pair.push_back(kSecond);
  if (after) {
    result.single.push_back(special(*after));
    result.pair.push_back(special(*after, 1));
  }
  return result;
}

SpecialTemplate SpecialTemplate::bert(TokenId cls_id, TokenId sep_id) {
  const Item cls = special(cls_id), sep = special(sep_id);
  return {{cls, kFirst, sep}, {cls, kFirst, sep, kSecond, special(sep_id, 1)}};
}

SpecialTemplate SpecialTemplate::roberta(TokenId cls_id, TokenId sep_id) {
  const Item cls = special(cls_id), sep = special(sep_id);
  const Item second{Item::Kind::kSecond, 0, 0};
  return {{cls, kFirst, sep}, {cls, kFirst, sep, sep, second, sep}};
}

std::vector<TokenId> SpecialTemplate::apply(std::span<const TokenId> a,
                                            const std::vector<TokenId>* b,
                                            std::vector<TokenId>* types) const {
  std::vector<TokenId> ids;
  if (types) types->clear();
  for (const Item& item : b ? pair : single) {
    switch (item.kind) {
      case Item::Kind::kSpecial:
        ids.push_back(item.id);
        break;
      case Item::Kind::kFirst:
        ids.insert(ids.end(), a.begin(), a.end());
        break;
      case Item::Kind::kSecond:
        if (b) ids.insert(ids.end(), b->begin(), b->end());
        break;
    }
    if (types) types->resize(ids.size(), item.type);
  }
  return ids;
}

Json SpecialTemplate::to_json(const std::function<std::string(TokenId)>& piece) const {
  Json tokens = Json::object();
  for (const auto* items : {&single, &pair}) {
    for (const Item& item : *items) {
      if (item.kind != Item::Kind::kSpecial) continue;
      const std::string name = piece(item.id);
      tokens[name] = {{"id", name}, {"ids", {item.id}}, {"tokens", {name}}};
    }
  }
  return {{"type", "TemplateProcessing"},
          {"single", items_to_json(single, piece)},
          {"pair", items_to_json(pair, piece)},
          {"special_tokens", tokens}};
}

SpecialTemplate SpecialTemplate::from_json(
    const Json& json, const std::function<std::optional<TokenId>(std::string_view)>& find,
    const std::string& source) {
  if (json.is_null()) return around(std::nullopt, std::nullopt);
  const std::string type = string_member(json, "type", source);
  if (type == "TemplateProcessing") {
    const auto defined = [&](std::string_view name) -> std::optional<TokenId> {
      const Json tokens = json.value("special_tokens", Json());
      if (tokens.is_object() && !tokens.contains(name)) return std::nullopt;
      return find(name);
    };
    return {items_from_json(member(json, "single", source), defined, source + ".single"),
            items_from_json(member(json, "pair", source), defined, source + ".pair")};
  }
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    const TokenId cls = named_id(json, "cls", find, source);
    const TokenId sep = named_id(json, "sep", find, source);
    return type == "BertProcessing" ? bert(cls, sep) : roberta(cls, sep);
  }
  if (type == "ByteLevel") return around(std::nullopt, std::nullopt);
  if (type != "Sequence") {
    fail(ErrorCode::kData, source, ": post-processor \"", type, "\" is not supported, supported ",
         "are BertProcessing, ByteLevel, RobertaProcessing, Sequence and TemplateProcessing");
  }
  const Json& steps = member(json, "processors", source);
  if (!steps.is_array()) fail(ErrorCode::kData, source, ".processors: expected a list");
  SpecialTemplate result = around(std::nullopt, std::nullopt);
  bool found = false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string place = concat(source, ".processors[", i, "]");
    const SpecialTemplate step = from_json(steps[i], find, place);
    if (string_member(steps[i], "type", place) == "ByteLevel") continue;
    if (found) fail(ErrorCode::kData, place, ": a second step that adds tokens is not supported");
    result = step;
    found = true;
  }
  return result;
}

}  // namespace llmctl
