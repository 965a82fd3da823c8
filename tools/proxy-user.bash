# Completion of proxy-user for bash: nouns, verbs and options.

_proxy_user()
{
    local cur=${COMP_WORDS[COMP_CWORD]} noun= verb= word words

    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in
            -*) ;;
            user|key|cert|log|token|scim-token|doctor)
                [ -n "$noun" ] || noun=$word ;;
            *)
                [ -z "$noun" ] || [ -n "$verb" ] || verb=$word ;;
        esac
    done

    case $cur in
        -*)
            words=$(proxy-user ${noun:+"$noun"} ${verb:+"$verb"} --help \
                    2> /dev/null | sed -n 's/^  \(--[a-z-]*\).*/\1/p') ;;
        *)
            if [ -z "$noun" ]; then
                words="user key cert log token scim-token doctor"
            elif [ -z "$verb" ]; then
                words=$(proxy-user "$noun" --help 2> /dev/null \
                        | sed -n "s/^  $noun \([a-z]*\).*/\1/p")
            else
                COMPREPLY=($(compgen -f -- "$cur"))
                return
            fi ;;
    esac

    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}

complete -F _proxy_user proxy-user
