package main

// word is a Chinese word with its pinyin, as passports write it.
type word struct{ text, pinyin string }

var surnames = []word{
	{"王", "wang"}, {"李", "li"}, {"张", "zhang"}, {"刘", "liu"}, {"陈", "chen"}, {"杨", "yang"}, {"黄", "huang"}, {"赵", "zhao"},
	{"吴", "wu"}, {"周", "zhou"}, {"徐", "xu"}, {"孙", "sun"}, {"朱", "zhu"}, {"胡", "hu"}, {"郭", "guo"}, {"何", "he"},
	{"高", "gao"}, {"林", "lin"}, {"罗", "luo"}, {"郑", "zheng"}, {"梁", "liang"}, {"谢", "xie"}, {"宋", "song"}, {"唐", "tang"},
	{"许", "xu"}, {"韩", "han"}, {"冯", "feng"}, {"邓", "deng"}, {"曹", "cao"}, {"彭", "peng"}, {"曾", "zeng"}, {"肖", "xiao"},
	{"田", "tian"}, {"董", "dong"}, {"袁", "yuan"}, {"潘", "pan"}, {"于", "yu"}, {"蒋", "jiang"}, {"蔡", "cai"}, {"余", "yu"},
	{"杜", "du"}, {"叶", "ye"}, {"程", "cheng"}, {"苏", "su"}, {"魏", "wei"}, {"吕", "lyu"}, {"丁", "ding"}, {"沈", "shen"},
	{"姚", "yao"}, {"卢", "lu"}, {"傅", "fu"}, {"钟", "zhong"}, {"姜", "jiang"}, {"崔", "cui"}, {"谭", "tan"}, {"廖", "liao"},
	{"范", "fan"}, {"汪", "wang"}, {"陆", "lu"}, {"金", "jin"}, {"石", "shi"}, {"戴", "dai"}, {"贾", "jia"}, {"韦", "wei"},
	{"夏", "xia"}, {"邱", "qiu"}, {"方", "fang"}, {"侯", "hou"}, {"邹", "zou"}, {"熊", "xiong"}, {"孟", "meng"}, {"秦", "qin"},
	{"白", "bai"}, {"江", "jiang"}, {"欧阳", "ouyang"},
}

var givenNames = []word{
	{"敏", "min"}, {"芳", "fang"}, {"磊", "lei"}, {"霞", "xia"}, {"鑫", "xin"}, {"斌", "bin"}, {"宇", "yu"}, {"凯", "kai"},
	{"帆", "fan"}, {"琳", "lin"}, {"晨", "chen"}, {"婷", "ting"}, {"颖", "ying"}, {"璐", "lu"}, {"瑶", "yao"}, {"欣", "xin"},
	{"建国", "jianguo"}, {"志强", "zhiqiang"}, {"晓明", "xiaoming"}, {"晓东", "xiaodong"}, {"丽华", "lihua"}, {"秀英", "xiuying"},
	{"桂兰", "guilan"}, {"玉兰", "yulan"}, {"海燕", "haiyan"}, {"子轩", "zixuan"}, {"梓涵", "zihan"}, {"雨桐", "yutong"},
	{"欣怡", "xinyi"}, {"宇航", "yuhang"}, {"浩然", "haoran"}, {"俊杰", "junjie"}, {"思远", "siyuan"}, {"一诺", "yinuo"},
	{"诗涵", "shihan"}, {"佳怡", "jiayi"}, {"嘉琪", "jiaqi"}, {"文博", "wenbo"}, {"天宇", "tianyu"}, {"泽宇", "zeyu"},
	{"博文", "bowen"}, {"雅婷", "yating"}, {"雅琴", "yaqin"}, {"美玲", "meiling"}, {"晓燕", "xiaoyan"}, {"春梅", "chunmei"},
	{"志远", "zhiyuan"}, {"立新", "lixin"}, {"国栋", "guodong"}, {"家豪", "jiahao"}, {"明哲", "mingzhe"}, {"思琪", "siqi"},
	{"梦洁", "mengjie"}, {"若曦", "ruoxi"}, {"婉清", "wanqing"}, {"静怡", "jingyi"}, {"慧敏", "huimin"}, {"晓峰", "xiaofeng"},
	{"建华", "jianhua"}, {"永康", "yongkang"}, {"子墨", "zimo"}, {"书瑶", "shuyao"}, {"景行", "jingxing"}, {"承志", "chengzhi"},
	{"鹏飞", "pengfei"}, {"冠宇", "guanyu"}, {"启明", "qiming"}, {"云帆", "yunfan"}, {"乐天", "letian"}, {"可欣", "kexin"},
	{"雪梅", "xuemei"}, {"丹阳", "danyang"}, {"振华", "zhenhua"}, {"少杰", "shaojie"}, {"世豪", "shihao"}, {"伟东", "weidong"},
	{"宏伟", "hongwei"}, {"佳宁", "jianing"}, {"安琪", "anqi"}, {"若楠", "ruonan"}, {"晓琳", "xiaolin"}, {"文静", "wenjing"},
}

// namesake is a name that two people have: names are no identity.
var namesake = person{Object: "zhang-wei", Name: "张伟"}
