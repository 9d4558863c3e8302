// Masking data about persons: e-mail addresses, phone numbers, numbers of identity and bank cards.
#pragma once

#include <cstdint>
#include <string>

namespace llmctl {

struct PersonalDataOptions {
  bool emails = true, phones = true, id_numbers = true;
};

struct PersonalDataCounts {
  std::uint64_t emails = 0, phones = 0, id_numbers = 0;
};

/// Replaces what it finds by "<email>", "<phone>" and "<id>", and counts. Found are:
///   e-mail addresses, beside Chinese characters too;
///   Chinese mobile (1[3-9]…, 11 digits, with +86) and fixed lines (0xx-xxxxxxxx), North American
///   numbers with their separators, British ones by 020/07xxx groups, and others with +country
///   code; Chinese resident identity numbers (18 digits, date and check digit right), US social
///   security numbers (ddd-dd-dddd), bank cards (13 to 19 digits, issuer 3 to 6, Luhn's check digit
///   right).
/// Dates, prices, years, versions, IP addresses, ISBN and other long numbers are left alone.
void mask_personal_data(std::string& text, const PersonalDataOptions& options,
                        PersonalDataCounts& counts);

}  // namespace llmctl
