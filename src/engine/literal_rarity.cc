#include "engine/literal_rarity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <unordered_map>

namespace lazaret::engine {
namespace {

constexpr double most_common = 1e-3;   // the most common four letters
constexpr double each_more = 0.2;      // what one byte more of a word leaves

// Eight times the binary logarithm of one in how many bytes it is, counted over 200 MB of libraries and programs, sources and documents of a Debian system.
constexpr std::array<std::uint8_t, 256> rarities = {
    22, 49, 54, 61, 60, 61, 67, 68, 58, 50, 48, 72, 71, 72, 63, 54, 62, 73, 76, 77, 75, 76, 79, 79, 67, 78, 80, 80, 78, 79, 81, 69,
    30, 75, 65, 74, 53, 74, 68, 73, 57, 59, 70, 77, 56, 70, 57, 61, 54, 59, 64, 68, 68, 71, 68, 74, 67, 68, 64, 73, 73, 61, 76, 79,
    68, 58, 68, 67, 60, 62, 71, 73, 44, 61, 81, 79, 58, 67, 69, 69, 66, 81, 68, 64, 62, 73, 74, 77, 74, 79, 79, 72, 70, 71, 83, 53,
    74, 48, 63, 54, 54, 42, 54, 61, 60, 48, 78, 70, 52, 58, 47, 50, 56, 78, 46, 49, 44, 54, 64, 69, 59, 64, 77, 68, 71, 67, 83, 81,
    71, 79, 84, 63, 65, 66, 79, 84, 76, 53, 86, 54, 76, 64, 83, 82, 72, 86, 85, 86, 79, 85, 87, 84, 80, 84, 86, 86, 81, 86, 87, 86,
    75, 87, 87, 87, 85, 87, 81, 87, 81, 86, 86, 81, 81, 87, 87, 85, 81, 86, 87, 87, 83, 87, 79, 80, 77, 81, 80, 82, 80, 85, 78, 78,
    67, 75, 79, 73, 76, 80, 77, 75, 79, 79, 81, 84, 62, 85, 84, 82, 74, 79, 78, 82, 81, 85, 83, 83, 78, 83, 81, 80, 86, 84, 84, 81,
    76, 84, 82, 85, 71, 84, 82, 82, 61, 70, 83, 75, 79, 83, 83, 80, 73, 82, 82, 80, 84, 84, 77, 80, 76, 79, 79, 79, 80, 78, 72, 47,
};

// The commonest four letters and signs in the same files, in lower case, the most common first.
constexpr std::string_view common_fours =
    "type :=  thethe turneturretufuncuinturn tionname err intvalualueconstimeerroonstrrornt64int6for  !=  typstriring 0, test"
    "trin uin  = 0, 0   =unc  is args, 0,ing  nilinte{}a| of xintauxiuxinypes == nter to mentcall convar file str.typcasease "
    "ype  = 0byte:= v in ntima|a} foruntinst runtion = 0x}a|aerr not and true.add55, nt32, 25int3ine  2555, 2255, notefinrgs{"
    "defi resointcontlockfine if  trusizepes..aux  #  and argime. // ange retatio   #line, 0xportcodeint strumaskperlcompctio"
    "sertwritreadarrathiswiths390390xassea}a~able|a}at64(resetrucructrang1, %riteparachecheckted resusignsult thi= niesulnil "
    "oundflag.argemen%1, sserfrom// t#defstatatcheratinst valself   rame his iterint(, %1bool be nstalist, erdata thaparst = "
    "int).newlice usear x defs{0}pathbrea, ar, %0 comrn treakarse filmatcx512 && // cpoinsionavx5vx51// r mat witf th2, %bloc"
    ", opaddrthatindeent ther   epack tesdef tinge th// mesetstarhat n thrrayatuse cos th funbitsaddan trterndargarm6rm64/ re"
    ", tyter != naram, uibasendexddarlass endnode insil {set(ionsyteslectof t= inlocaclasult:cond.err%2, , ins nossa.d in can"
    "scal.pos ranall  by rint aux}a~aload= 0 00, = v.float32(e = ith alsemethloatexprfals   imple boo.res namst {tptr/ ma %1,"
    "0%{%conv%0%{ pared b   s= opethoe isror comm objif e, %2es.tprin sysr :=ps39ops3.op intpauatthod = s = ie innonetargener"
    "0 := || ight all 0 {tushode := bntpt lennc (storvaligene0, % falieldalid   d bitatoruse / costan  ensour staourcurcelen("
    "ch: elf.lt:   de seltch: or gs{0wvalewvanewv/ thh: (lagsin t(mov, nimporackad by  retext= b.v.aukagecateuct zerockaginit"
    " memversor {allo1 :=   a perare uncte oflemeding.regtoreelseate impoos, e respec chafsett: (tateformattr ass = boparpos,"
    " new #  infoage %0, // s (moaderrighparmoffs:= ateracopyelemoauxr = toaufielint1.con// a 0x1l$`hratos = charobj.nctint ="
    "() {movd elsunc( arefaceatedentsffseextet th%0|%  // ops %0|e fo0|%0stin 1,  reg|%0,wantptr(s a  gened t// ined s, o an "
    "!= 0p !=rorf v.ane, := rr !=0xffoversyscs in|x00 exp add prorandintta.op= range sa.osafelconse o setestiv.renttoile ount"
    "ernalinkavaunt, yscaptiohe c= audconif !x00|00|xhe sorf(0|x0l$xhnt) v.arnerauatuset ) !=!= oersi b.nx := ->   ift(op:   "
    " it ensee toimplpendsingl$ hits.ress:= slue0ing.terfone,lloccenschanctxtalleicenble rr !b.nef eret(oop !ue0(mem)enammake"
    "rnaleadenvalant builrsioinvantroevalerfal$(hmips   *ontrtoin calrfacslic64(xconfject%}%n= bi.funappequalool ormaocalcan "
    "mberlue nlin whettoie0(v   /t :=se ttrolpectserv as unsanse nsafingsenco   t.val}byt} = efering(requ licreflreg icatort "
    "v.pobjeceflencodpres outflec frot.erlse e, c(v.plibcif tervecounoperigna 0x0ectip521tart0(v.int8equaramet is   {rom  we "
    "expes revauat ofn incannif vor imovwng t impout    'ore inliround toatal, coctort inshifhiftrr :512frserhe tluesv.adrent"
    "obje codhash coptanttracl$hhothe /* ) bohe g = os.ty has sig wanusedfaulaultouldrn fewrifatatch  on tablhe l.namd$`hswit"
    "e fised  datint,l$phcatiheadr the lipanifmt.(selitchmain3, %ument) {ontecessllcotempd$hht   ror)efauanic// l at defaed i"
    " sym.fat timnexttter arr = 4atomct {is actedlue)ratewitc(intproc mets{1}e.pose iectoes n = n  0xorte runse a nonarg(ype("
    " pre sizect. inddecl'   haveanceafe.ntin modrr =nts undexpecfounmark.set 0x2ocatrecttackstacis gprogize  ssaess voidd$ph"
    "rewr   cis nlid ast. = aectelateust #  0 cheuildert(arch %0% rewmodeitevhen e pe  1,s anirstdentxtenfirsallcst, iste|%0%"
    ".poi = tol {must anyentitribtevaoutpibuto thribu 0xfenceer tract>, <ne pando// utputperautpu = egrouto t512vopticlosvari"
    "her reatonfit cappenrn n// ee tyter({arggs{1 foue paons awavrranrmatimerl$0h}, ns{ar %2,(), reg,eg, ratigs{auld nfig ver"
    "ght *avxund 12vl} elbute,  1 offurnsy thless do *typt$`hype){%2,fe.p// fnil}arg2eques toontionv thre soudateis s *  nd i"
    "r) {typ. << t be makect tatiil},tomies aer).omma), unnothere521upareannoompa = c1,  ifienal/nt1(ifice stp :=21ui1uinauth"
    "pecid = nstr opemandemptt1(x.fropthxtureigne, 0} num64(ptersonlyitiodulet *tomic(pthat t) === syptr  reper, ovdcvdcoames"
    "seleokene   s.adffer= s.rtedpe = linentrnil,if n nod90xm byt/typ(p52argenal icalmodu ir.whenor tadd6dd64ngthsect varengt"
    "roupame,odulrce ";

const std::uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

// Four bytes; letters in lower case, and some other bytes as if they were.
std::uint32_t four_of(const std::uint8_t* at) {
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, at, sizeof bytes);
  return bytes | (bytes & 0x40404040u) >> 1;
}

const std::unordered_map<std::uint32_t, std::uint32_t>& ranks_of_common() {
  static const auto ranks = [] {
    std::unordered_map<std::uint32_t, std::uint32_t> made;
    for (std::size_t i = 0; i < common_fours.size(); i += 4) made.emplace(four_of(bytes_of(common_fours) + i), static_cast<std::uint32_t>(i / 4));
    return made;
  }();
  return ranks;
}

// How often four bytes are met, with either case of letters.
double frequency_of_four(const std::uint8_t* at) {
  unsigned bits = 0, last = 256;
  for (std::size_t i = 0; i < 4; ++i) {
    const unsigned lower = (at[i] & 0x40) != 0 ? at[i] | 0x20u : at[i], upper = (at[i] & 0x40) != 0 ? at[i] & ~0x20u : at[i];
    // A byte is often followed by itself.
    bits += lower == last ? 8u : std::min(unsigned{rarities[lower]}, unsigned{rarities[upper]});
    last = lower;
  }
  const auto rank = ranks_of_common().find(four_of(at));
  const double known = rank == ranks_of_common().end() ? 0 : most_common / (1 + rank->second / 20.0);
  return std::max(known, std::exp2(-static_cast<double>(bits) / 8));
}

}  // namespace

double frequency_of(std::string_view text) {
  if (text.size() < 4) {
    double frequency = 1;
    for (const char c : text) frequency *= std::exp2(-static_cast<double>(rarities[static_cast<std::uint8_t>(c)]) / 8);
    return frequency;
  }
  double rarest = 1;
  for (std::size_t i = 0; i + 4 <= text.size(); ++i) rarest = std::min(rarest, frequency_of_four(bytes_of(text) + i));
  return rarest * std::pow(each_more, static_cast<double>(text.size() - 4));
}

}  // namespace lazaret::engine
