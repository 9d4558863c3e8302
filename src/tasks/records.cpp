#include "tasks/records.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <unordered_set>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/strings.h"
#include "io/text_format.h"
#include "io/text_source.h"

namespace llmctl {
namespace {

constexpr std::uint64_t kHoldOutSeed = 1, kWeightSeed = 2, kShareSeed = 3;

/// Reads the records of a file with their places.
void read_records(const std::filesystem::path& file,
                  const std::function<void(const Record&)>& record, const BadRecord& bad) {
  const std::string format = text_format(file);
  const char* const before = format == "json" ? ": element " : ":";
  const auto use = [&](std::uint64_t number, const Json& value) {
    const std::string place = concat(file.string(), before, number);
    record(Record{place, value, number});
    return true;
  };
  for_each_record_of(format, file, use, bad);
}

}  // namespace

void Record::fail(const std::string& message) const {
  llmctl::fail(ErrorCode::kData, place, ": ", message);
}

bool Record::has(const std::string& field) const {
  return value.is_object() && value.contains(field) && !value.at(field).is_null();
}

std::string Record::text(const std::string& field) const {
  if (value.is_object() && value.contains(field) && value.at(field).is_null())
    fail("field '" + field + "' is null");
  if (!has(field)) fail("no field '" + field + "' (it has " + fields() + ")");
  const Json& member = value.at(field);
  if (member.is_string()) return member.get<std::string>();
  if (member.is_number() || member.is_boolean()) return dump_json(member);
  fail("field '" + field + "': expected text, got " + member.type_name());
}

std::string Record::fields() const {
  std::vector<std::string> names;
  if (value.is_object()) {
    for (const auto& [name, member] : value.items()) names.push_back(name);
  }
  return names.empty() ? "no fields" : join(names);
}

void for_each_labelled_record(const std::filesystem::path& file,
                              const std::function<void(const Record&)>& record, BadRows& bad) {
  read_records(
      file, [&](const Record& read) { bad.attempt([&] { record(read); }); },
      [&](const Error& error) { bad.add(error.what()); });
}

void for_each_labelled_record(const std::filesystem::path& file,
                              const std::function<void(const Record&)>& record) {
  read_records(file, record, {});
}

std::optional<std::string> find_field(const Record& record,
                                      const std::optional<std::string>& configured,
                                      const std::vector<std::string>& candidates) {
  if (configured) return configured;
  for (const std::string& name : candidates) {
    if (record.has(name)) return name;
  }
  // "Text" and "LABEL" are what they would be in small letters.
  for (const std::string& name : candidates) {
    if (!record.value.is_object()) break;
    for (const auto& [field, member] : record.value.items()) {
      if (equal_ignoring_case(field, name) && !member.is_null()) return field;
    }
  }
  // A field that is there and null is found, so that reading it says so.
  for (const std::string& name : candidates) {
    if (record.value.is_object() && record.value.contains(name)) return name;
  }
  return std::nullopt;
}

std::optional<std::string> field_of_input(const Record& record,
                                          const std::optional<std::string>& configured) {
  return configured && record.has(*configured) ? configured : std::nullopt;
}

std::string field_remedy(const std::string& key) {
  return concat("; name it in task.", key, " (of eval in tasks.0.", key, ")");
}

void tell_unused_fields(const std::filesystem::path& file, const Record& record,
                        const std::vector<std::string>& used) {
  std::vector<std::string> taken, unused;
  if (!record.value.is_object()) return;
  for (const auto& [name, member] : record.value.items()) {
    if (std::find(used.begin(), used.end(), name) != used.end()) {
      taken.push_back(name);
    } else if (name != "id" && name != "idx" && !member.is_null()) {
      unused.push_back(name);
    }
  }
  if (unused.empty()) return;
  log_info(file.string(), ": of each record ", join(taken), " are read; not used: ", join(unused));
}

std::vector<bool> held_out(const std::vector<std::string_view>& units, HeldOutShare share) {
  std::vector<bool> out(units.size(), false);
  require(share.stratified == 0, ErrorCode::kConfig,
          "data.valid.stratified: is for tasks with classes; use {\"hash\": SHARE}");
  if (units.size() < 2 || !share) return out;
  std::size_t count = 0, nearest = 0;
  double lowest = 2;
  if (share.tail > 0) {
    count = static_cast<std::size_t>(std::llround(share.tail * static_cast<double>(units.size())));
    count = std::clamp<std::size_t>(count, 1, units.size() - 1);
    std::fill(out.end() - static_cast<std::ptrdiff_t>(count), out.end(), true);
    return out;
  }
  for (std::size_t i = 0; i < units.size(); ++i) {
    const double draw = hash_fraction(units[i], kHoldOutSeed);
    out[i] = draw < share.hash;
    count += out[i] ? 1 : 0;
    if (draw < lowest) {
      lowest = draw;
      nearest = i;
    }
  }
  if (count > 0 && count < units.size()) return out;
  // Some to either side; copies stay together where they are not all there is.
  const std::size_t moved = count == 0 ? nearest : 0;
  const bool copies_only =
      std::count(units.begin(), units.end(), units[moved]) == std::ssize(units);
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (copies_only ? i == moved : units[i] == units[moved]) out[i] = count == 0;
  }
  return out;
}

std::vector<bool> held_out_of_groups(const std::vector<std::string_view>& units,
                                     const std::vector<std::string>& groups, double share) {
  std::map<std::string_view, std::vector<std::size_t>> members, copies;
  for (std::size_t i = 0; i < units.size(); ++i) {
    members[groups[i]].push_back(i);
    copies[units[i]].push_back(i);
  }
  std::map<std::string_view, std::size_t> left;  // of each group, not held out
  for (const auto& [group, indices] : members) left[group] = indices.size();
  std::vector<bool> out(units.size(), false);
  // Holds a unit out in all groups, unless one of them would have nothing left, or it has more than
  // `room` copies in the group `of`.
  const auto hold_out = [&](std::string_view unit, std::string_view of, std::size_t room) {
    std::map<std::string_view, std::size_t> taken;
    for (const std::size_t i : copies.at(unit)) ++taken[groups[i]];
    if (taken.at(of) > room) return;
    for (const auto& [group, count] : taken) {
      if (left.at(group) <= count) return;
    }
    for (const auto& [group, count] : taken) left.at(group) -= count;
    for (const std::size_t i : copies.at(unit)) out[i] = true;
  };
  for (auto& [group, indices] : members) {
    if (indices.size() < 2) continue;
    std::stable_sort(indices.begin(), indices.end(), [&](std::size_t a, std::size_t b) {
      return hash_fraction(units[a], kHoldOutSeed) < hash_fraction(units[b], kHoldOutSeed);
    });
    const auto wanted = std::llround(share * static_cast<double>(indices.size()));
    const auto count =
        std::clamp<std::size_t>(static_cast<std::size_t>(wanted), 1, indices.size() - 1);
    const auto held = [&, size = indices.size(), of = group] { return size - left.at(of); };
    for (const std::size_t i : indices) {
      if (held() >= count) break;
      if (!out[i]) hold_out(units[i], group, count - held());
    }
    // Where every text has more copies than that, the one with the fewest.
    std::stable_sort(indices.begin(), indices.end(), [&](std::size_t a, std::size_t b) {
      return copies.at(units[a]).size() < copies.at(units[b]).size();
    });
    for (const std::size_t i : indices) {
      if (held() > 0) break;
      hold_out(units[i], group, indices.size());
    }
  }
  return out;
}

std::uint64_t record_key(const std::vector<std::string_view>& parts) {
  std::uint64_t key = parts.size();
  for (const std::string_view part : parts) key = hash64(part, key);
  return key;
}

void warn_of_learnt(const std::string& task, const std::string& what,
                    const std::vector<std::uint64_t>& held_out,
                    const std::vector<std::uint64_t>& learnt) {
  const std::unordered_set<std::uint64_t> known(learnt.begin(), learnt.end());
  const auto count = std::count_if(held_out.begin(), held_out.end(),
                                   [&](std::uint64_t key) { return known.contains(key); });
  if (count == 0) return;
  log_warning(task, ": ", count, " of ", held_out.size(), " held-out ", what,
              " are also learnt from, whose scores say little; leave them out of data.train or of "
              "data.valid");
}

std::vector<bool> drawn_share(const std::vector<std::string_view>& units,
                              const std::vector<std::string>& groups, double share) {
  struct Unit {
    std::size_t index;
    double hash, rank;  // rank: where in its group, 0 to 1
  };
  std::map<std::string_view, std::vector<Unit>> members;
  for (std::size_t i = 0; i < units.size(); ++i) {
    members[groups.empty() ? std::string_view() : groups[i]].push_back(
        {i, hash_fraction(units[i], kShareSeed), 0});
  }
  std::vector<Unit> order;
  for (auto& [group, list] : members) {
    std::stable_sort(list.begin(), list.end(),
                     [](const Unit& a, const Unit& b) { return a.hash < b.hash; });
    for (std::size_t i = 0; i < list.size(); ++i)
      list[i].rank = static_cast<double>(i) / static_cast<double>(list.size());
    order.insert(order.end(), list.begin(), list.end());
  }
  std::sort(order.begin(), order.end(), [](const Unit& a, const Unit& b) {
    return std::tie(a.rank, a.hash, a.index) < std::tie(b.rank, b.hash, b.index);
  });
  const auto wanted = std::llround(share * static_cast<double>(units.size()));
  std::vector<bool> drawn(units.size(), false);
  for (std::size_t i = 0; i < order.size() && i < static_cast<std::size_t>(std::max(wanted, 1LL));
       ++i)
    drawn[order[i].index] = true;
  return drawn;
}

std::int64_t passes(std::string_view unit, double weight) {
  const double whole = std::floor(weight);
  return static_cast<std::int64_t>(whole) +
         (hash_fraction(unit, kWeightSeed) < weight - whole ? 1 : 0);
}

}  // namespace llmctl
